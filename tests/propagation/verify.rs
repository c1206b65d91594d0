//! `verify` finds invariant violations, and the repair removes them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use shared::domain::{
    AccountId, FoldedText, GroupFilter, GroupId, GroupName, GroupProfile, GroupType, JobKind, SortKey, Timestamp,
};
use shared::propagation::Propagation;
use shared::store::client_for;
use shared::store::keys::{AccountList, COUNT_SHARDS, Key};
use shared::verify::repair;

use crate::harness::pump::{Pump, violations};
use crate::harness::{Api, account, now, version};

/// Top holds Middle holds Bottom; acc-00000 and acc-00001 are in Bottom, acc-00001 in Top as well.
struct Table {
    api: Api,
    pump: Pump,
    client: Client,
    top: GroupId,
    middle: GroupId,
    bottom: GroupId,
    /// The number of members of Top after a repair.
    members: usize,
}

impl Table {
    async fn new() -> Self {
        let api = Api::start_streaming(|_| {}, &Default::default()).await;
        let groups: [String; 3] = api.chain(&["Top", "Middle", "Bottom"]).await.try_into().unwrap();
        let [top, _, bottom] = &groups;
        api.members(bottom, 0..2).await;
        api.members(top, 1..2).await;
        let mut pump = Pump::of(&api).await;
        pump.drain(&api.app).await;
        assert_eq!(violations(&api).await, []);
        let client = client_for(&api.endpoint, |builder| builder);
        let [top, middle, bottom] = groups.map(|id| GroupId::parse(&id).unwrap());
        Self { api, pump, client, top, middle, bottom, members: 2 }
    }

    async fn row(&self, key: &Key) -> HashMap<String, AttributeValue> {
        let request = self.client.get_item().table_name(&self.api.table).set_key(Some(key.to_attributes()));
        request.consistent_read(true).send().await.unwrap().item.unwrap()
    }

    /// Sets or removes one attribute of a row.
    async fn tamper(&self, key: &Key, attribute: &str, value: Option<AttributeValue>) {
        let mut row = self.row(key).await;
        match value {
            Some(value) => row.insert(attribute.to_owned(), value),
            None => row.remove(attribute),
        };
        self.client.put_item().table_name(&self.api.table).set_item(Some(row)).send().await.unwrap();
    }

    /// Puts a row with this key and these attributes.
    async fn put(&self, key: &Key, attributes: &[(&str, Option<AttributeValue>)]) {
        let mut row = key.to_attributes();
        row.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone().unwrap())));
        self.client.put_item().table_name(&self.api.table).set_item(Some(row)).send().await.unwrap();
    }

    /// As [`Table::put`], for keys that only the first design has.
    async fn put_raw(&self, partition: &str, sort: &str, attributes: &[(&str, Option<AttributeValue>)]) {
        let key = [("PK", partition), ("SK", sort)].map(|(name, text)| (name, Some(AttributeValue::S(text.into()))));
        let row = key.iter().chain(attributes).map(|(name, value)| ((*name).to_owned(), value.clone().unwrap()));
        self.client.put_item().table_name(&self.api.table).set_item(Some(row.collect())).send().await.unwrap();
    }

    /// Deletes a row.
    async fn lose(&self, key: &Key) {
        let request = self.client.delete_item().table_name(&self.api.table).set_key(Some(key.to_attributes()));
        request.send().await.unwrap();
    }

    /// Returns the violations, one line each, and repairs them. Asserts that none is left.
    async fn verify_and_repair(&mut self) -> Vec<String> {
        // The tampering has records too. Delivered, they would repair it before `verify` sees it.
        self.pump.fetch().await;
        self.pump.waiting.clear();
        let found = violations(&self.api).await.iter().map(ToString::to_string).collect();
        let propagation = Propagation { store: &self.api.store, actor: None, now: now() };
        assert_eq!(repair(propagation).await.unwrap(), []);
        self.pump.drain(&self.api.app).await;
        assert_eq!(violations(&self.api).await, []);
        let types = self.api.member_types(&self.top.to_string()).await;
        assert_eq!(types.len(), self.members, "{types:?}");
        found
    }
}

fn number(value: u64) -> Option<AttributeValue> {
    Some(AttributeValue::N(value.to_string()))
}

fn text(value: &str) -> Option<AttributeValue> {
    Some(AttributeValue::S(value.into()))
}

#[tokio::test]
async fn wrong_counts_are_found_and_corrected() {
    let mut table = Table::new().await;
    let top = table.top;
    table.tamper(&Key::group(&top), "member_count", number(7)).await;
    let found = table.verify_and_repair().await;
    let expected = format!(
        "2: {top}: counts 7 members, 1 direct ones, 1 nested groups, should count 2 members, 1 direct ones, 1 nested groups"
    );
    assert_eq!(found, [expected]);
    for (attribute, value) in [("direct_member_count", 0), ("nested_group_count", 9)] {
        table.tamper(&Key::group(&top), attribute, number(value)).await;
        assert_eq!(table.verify_and_repair().await.len(), 1);
    }
}

#[tokio::test]
async fn missing_member_is_found_and_restored_at_every_level() {
    let mut table = Table::new().await;
    let (middle, top, bottom) = (table.middle, table.top, table.bottom);
    let id = account("acc-00000").id;
    for group in [middle, top] {
        table.lose(&Key::member(&group, &id)).await;
        table.lose(&Key::mirror(&id, &group)).await;
    }
    let mut found = table.verify_and_repair().await;
    found.retain(|line| !line.starts_with("2:"));
    let mut expected = vec![
        format!("1: {middle} acc-00000: should have a member row"),
        format!("1: {top} acc-00000: should have a member row"),
        format!("4: {middle} acc-00000: is not stored as inherited through {bottom}, and should be"),
        format!("8: {middle} acc-00000: the audit record differs from the member row"),
        format!("8: {top} acc-00000: the audit record differs from the member row"),
    ];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn unfounded_member_is_found_and_removed_at_every_level() {
    let mut table = Table::new().await;
    let (top, middle, bottom) = (table.top, table.middle, table.bottom);
    let id = account("acc-00000").id;
    // A row in Middle that claims an account inherited from Bottom, where it is no member.
    let stranger = account("acc-stranger").id;
    table.api.accounts(&["acc-stranger"]).await;
    let mut row = table.row(&Key::member(&middle, &id)).await;
    row.extend(Key::member(&middle, &stranger).to_attributes());
    for (attribute, value) in [("name", "name.of.acc-stranger"), ("email", "acc-stranger@company.com")] {
        row.insert(attribute.into(), AttributeValue::S(value.into()));
    }
    table.client.put_item().table_name(&table.api.table).set_item(Some(row)).send().await.unwrap();
    let found = table.verify_and_repair().await;
    for line in [
        format!("1: {middle} acc-stranger: has a member row and should not"),
        format!("4: {middle} acc-stranger: is stored as inherited through {bottom}, and should not be"),
        format!("4: {top} acc-stranger: is not stored as inherited through {middle}, and should be"),
        format!("3: {middle} acc-stranger: the member row and its mirror differ"),
    ] {
        assert!(found.contains(&line), "{line} is not in {found:?}");
    }
}

#[tokio::test]
async fn wrong_mirrors_and_copies_are_found_and_corrected() {
    let mut table = Table::new().await;
    let (top, id) = (table.top, account("acc-00000").id);
    table.lose(&Key::mirror(&id, &top)).await;
    let differ = format!("3: {top} acc-00000: the member row and its mirror differ");
    assert_eq!(table.verify_and_repair().await, std::slice::from_ref(&differ));
    table.tamper(&Key::mirror(&id, &top), "direct", Some(AttributeValue::Bool(true))).await;
    assert_eq!(table.verify_and_repair().await, [differ]);
    table.tamper(&Key::member(&top, &id), "email", text("old@company.com")).await;
    let copies = format!("6: {top} acc-00000: the copies differ from the account");
    assert_eq!(table.verify_and_repair().await, [copies]);
    assert_eq!(table.api.all_items("?member=acc-00000", "groups").await.len(), 3);
}

#[tokio::test]
async fn edge_with_only_one_of_its_rows_is_found_and_removed() {
    let mut table = Table::new().await;
    let (middle, bottom) = (table.middle, table.bottom);
    let mut child = table.row(&Key::child(&middle, &bottom)).await;
    let edge = format!("{}~00000000000000ff", table.top);
    child.extend(Key::child(&bottom, &table.top).to_attributes());
    child.insert("edge_id".into(), AttributeValue::S(edge));
    table.client.put_item().table_name(&table.api.table).set_item(Some(child)).send().await.unwrap();
    let found = table.verify_and_repair().await;
    assert!(
        found.contains(&format!("4: {bottom} {}: only one of the two groups has the edge", table.top)),
        "{found:?}"
    );
    assert!(found.iter().any(|line| line.starts_with("5: nested in a cycle: ")), "{found:?}");
}

#[tokio::test]
async fn remains_of_a_deleted_group_are_found_and_removed() {
    let mut table = Table::new().await;
    let id = account("acc-00000").id;
    let gone = GroupId::parse(crate::harness::NO_GROUP).unwrap();
    let mut row = table.row(&Key::member(&table.top, &id)).await;
    row.extend(Key::member(&gone, &id).to_attributes());
    table.client.put_item().table_name(&table.api.table).set_item(Some(row)).send().await.unwrap();
    let found = table.verify_and_repair().await;
    assert_eq!(found, [format!("1: {gone} acc-00000: the group does not exist")]);

    let stuck = GroupId::parse(&table.api.group("Stuck").await).unwrap();
    table.tamper(&Key::group(&stuck), "state", text("DELETING")).await;
    let found = table.verify_and_repair().await;
    assert_eq!(found, [format!("job: {stuck}: deleted, and no job removes it")]);
}

/// The account was deleted and created again. The repair does not turn its old membership into a new one.
#[tokio::test]
async fn membership_from_before_a_deletion_of_its_account_is_removed() {
    let mut table = Table::new().await;
    let (top, id) = (table.top, account("acc-00001").id);
    let other = table.api.group("Other").await;
    table.api.members(&other, 1..2).await;
    table.tamper(&Key::account(&id), "deleted_version", text(&version(1).to_string())).await;
    table.tamper(&Key::account(&id), "version", text(&version(2).to_string())).await;
    table.members = 1;
    let found = table.verify_and_repair().await;
    assert!(found.contains(&format!("6: {top} acc-00001: the account does not exist")), "{found:?}");
    assert_eq!(table.api.member_types(&other).await, []);
}

#[tokio::test]
async fn edge_of_a_missing_group_is_found_and_removed() {
    for parent_is_lost in [true, false] {
        let mut table = Table::new().await;
        let [parent, child] = [table.api.group("Other").await, table.api.group("Further").await];
        table.api.nest(&parent, &child).await;
        let lost = if parent_is_lost { &parent } else { &child };
        table.lose(&Key::group(&GroupId::parse(lost).unwrap())).await;
        let found = table.verify_and_repair().await;
        let expected = format!("4: {parent} {child}: nested, but one of the two groups does not exist");
        assert!(found.contains(&expected), "{found:?}");
    }
}

#[tokio::test]
async fn stalled_job_is_found_and_resumed() {
    let mut table = Table::new().await;
    let id = GroupId::parse(&table.api.group("Deleted").await).unwrap();
    table.api.delete(&format!("/{id}")).await;
    let long_ago = Timestamp::from_unix_seconds(now().unix_seconds() - 3_601);
    let kind = JobKind::DeleteGroup(id);
    table.tamper(&Key::job(&kind), "created_at", text(&long_ago.to_string())).await;
    let found = table.verify_and_repair().await;
    assert_eq!(found, [format!("job: delete_group: created at {long_ago} and not finished")]);
}

fn differs(id: GroupId) -> String {
    format!("7: {id}: the list entry or the search rows differ from the name")
}

/// Search rows that are missing, of another name or of no group, and a name marked as pending.
#[tokio::test]
async fn wrong_search_rows_are_found_and_corrected() {
    let mut table = Table::new().await;
    let (top, gone) = (table.top, GroupId::parse(crate::harness::NO_GROUP).unwrap());
    let hit = |text: &str, id: &GroupId| {
        let text = FoldedText::fold(text);
        Key::search_hit(&text, &text.sort_key(), id)
    };
    table.lose(&hit("top", &top)).await;
    assert_eq!(table.verify_and_repair().await, [differs(top)]);
    table.tamper(&hit("op", &top), "repeats", number(1)).await;
    assert_eq!(table.verify_and_repair().await, [differs(top)]);
    table.tamper(&Key::group(&top), "name_pending", Some(AttributeValue::Bool(true))).await;
    table.tamper(&Key::group(&top), "former_name", text("old")).await;
    table.put(&hit("old", &top), &[("repeats", number(0))]).await;
    assert_eq!(table.verify_and_repair().await, [differs(top)]);
    for key in [hit("stop", &top), hit("op", &gone)] {
        table.put(&key, &[("repeats", number(0))]).await;
    }
    assert_eq!(table.verify_and_repair().await, [top, gone].map(differs));
    for term in ["op", "top"] {
        assert_eq!(table.api.all_items(&format!("?search={term}"), "groups").await.len(), 1);
    }
}

/// List entries that are missing, of another name or of no group.
#[tokio::test]
async fn wrong_list_entries_are_found_and_corrected() {
    let mut table = Table::new().await;
    let (top, gone) = (table.top, GroupId::parse(crate::harness::NO_GROUP).unwrap());
    let entry =
        |name: &str, id: &GroupId| Key::list_entry(GroupFilter::default(), &FoldedText::fold(name).sort_key(), id);
    table.lose(&entry("top", &top)).await;
    assert_eq!(table.verify_and_repair().await, [differs(top)]);
    for key in [entry("stop", &top), entry("top", &gone)] {
        table.put(&key, &[]).await;
    }
    assert_eq!(table.verify_and_repair().await, [top, gone].map(differs));
    assert_eq!(table.api.all_items("?limit=1", "groups").await.len(), 3);
    // As in a table of a version without filters.
    let of_type = GroupFilter { group_type: Some(GroupType::Security), is_privileged: None };
    table.lose(&Key::list_entry(of_type, &FoldedText::fold("top").sort_key(), &top)).await;
    let hit = Key::search_hit(&FoldedText::fold("top"), &FoldedText::fold("top").sort_key(), &top);
    table.tamper(&hit, "group_type", None).await;
    assert_eq!(table.api.get("?search=top&group_type=security").await.ok()["groups"].as_array().unwrap().len(), 1);
    assert_eq!(table.verify_and_repair().await, [differs(top)]);
    assert_eq!(table.api.all_items("?limit=1&group_type=security", "groups").await.len(), 3);
}

/// As in a table that an earlier version wrote.
#[tokio::test]
async fn wrong_rows_of_an_account_are_found_and_corrected() {
    let mut table = Table::new().await;
    let (id, word) = (account("acc-00000").id, SortKey::cut("of"));
    let text = |text: &str, id: &AccountId| Key::account_text(AccountList::Words, &SortKey::cut(text), id);
    table.lose(&text("of", &id)).await;
    table.put(&text("former", &id), &[]).await;
    let nobody = AccountId::parse("acc-nobody").unwrap();
    table.put(&Key::account_text(AccountList::All, &word, &nobody), &[]).await;
    let found = |id: &AccountId| format!("7: {id}: the rows by which it is found differ from its name and address");
    assert_eq!(table.verify_and_repair().await, [found(&id), found(&nobody)]);
    let found = table.api.all_items("/api/v1/accounts?search=of", "accounts").await;
    assert_eq!(found.len(), 2);
    assert_eq!(table.api.all_items("/api/v1/accounts?search=former", "accounts").await.len(), 0);
}

/// A table of the first design has search rows in the groups' partitions, index keys and jobs with other keys. It has no
/// rows for lists and searches, and no count shards.
#[tokio::test]
async fn table_of_the_first_design_is_found_and_becomes_one_of_this_design() {
    let mut table = Table::new().await;
    let (top, gone) = (table.top, GroupId::parse(crate::harness::NO_GROUP).unwrap());
    let profile = GroupProfile::named(GroupName::parse("any").unwrap());
    let deleted = GroupId::parse(&table.api.group("Gone").await).unwrap();
    for (id, name) in [(top, "top"), (table.middle, "middle"), (table.bottom, "bottom"), (deleted, "gone")] {
        let name = FoldedText::fold(name);
        for filter in GroupFilter::all_matching(&profile) {
            table.lose(&Key::list_entry(filter, &name.sort_key(), &id)).await;
        }
        for suffix in name.suffixes() {
            table.lose(&Key::search_row(&suffix, &id)).await;
        }
        let sort = text(&format!("{}\u{1}{id}", name.as_str()));
        for (attribute, value) in [("GSI1PK", text("GROUPS")), ("GSI1SK", sort), ("name_rows", number(6))] {
            table.tamper(&Key::group(&id), attribute, value).await;
        }
        table.tamper(&Key::group(&id), "counted_revision", None).await;
        for shard in 0..COUNT_SHARDS {
            table.lose(&Key::count(&id, shard)).await;
        }
    }
    for id in [top, gone] {
        for number_of_row in 0..2 {
            let row = [("GSI1PK", text("SEARCH#t")), ("GSI1SK", text("top\u{1}")), ("repeats", number(0))];
            table.put_raw(&format!("GROUP#{id}"), &format!("NAME#{number_of_row:05}"), &row).await;
        }
    }
    // A job of a version before: it is far, and has failed ten times.
    table.tamper(&Key::group(&deleted), "state", text("DELETING")).await;
    let job = [
        ("kind", text("delete_group")),
        ("revision", number(7)),
        ("cursor", text("members")),
        ("progress", number(240)),
        ("attempts", number(10)),
        ("last_reason", text("failed")),
        ("state", text("SET_ASIDE")),
        ("created_at", text(&now().to_string())),
        ("actor", text("admin")),
    ];
    table.put(&Key::first_design_job(&JobKind::DeleteGroup(deleted)), &job).await;

    assert_eq!(table.api.all_items("", "groups").await.len(), 0);
    let found = table.verify_and_repair().await;
    let old = |id: GroupId| format!("row: {id}: a row of the first design");
    for id in [top, table.middle, table.bottom] {
        assert!(found.contains(&old(id)) && found.contains(&differs(id)), "{found:?}");
    }
    assert!(found.contains(&old(gone)) && found.contains(&old(deleted)), "{found:?}");
    assert!(found.contains(&"job: delete_group: a row of the first design".to_owned()), "{found:?}");
    assert_eq!(table.api.all_items("", "groups").await.len(), 3);
    assert_eq!(table.api.all_items("?search=o", "groups").await.len(), 2);
    for (group, members) in [(top, 2), (table.bottom, 2)] {
        assert_eq!(table.api.get(&format!("/{group}")).await.ok()["member_count"], json!(members));
    }
    let row = table.row(&Key::group(&top)).await;
    assert!(!["GSI1PK", "GSI1SK", "name_rows"].iter().any(|attribute| row.contains_key(*attribute)), "{row:?}");
}

#[tokio::test]
async fn unreadable_row_is_found() {
    let table = Table::new().await;
    table.tamper(&Key::group(&table.top), "version", text("x")).await;
    table.put_raw("REPORTS", "1", &[("name", text("Top"))]).await;
    let found: Vec<String> = violations(&table.api).await.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|line| line.starts_with("row: ") && line.contains(&table.top.to_string())), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("row: ") && line.contains("REPORTS")), "{found:?}");
    assert!(found.iter().all(|line| !line.contains("Top")), "its contents are not shown: {found:?}");
}
