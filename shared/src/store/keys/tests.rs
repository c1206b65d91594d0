//! Spells out the keys as stored: a change here needs a migration of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    AccountId, AccountVersion, Edge, EdgeId, FoldedText, GroupFilter, GroupId, GroupType, JobKind, Moment, Period,
    SortKey, Timestamp,
};

const GROUP: &str = "grp-018d0cab-c440-7000-8000-000000000001";
const CHILD: &str = "grp-018d0cab-c440-7000-8000-000000000002";

fn group() -> GroupId {
    GroupId::parse(GROUP).unwrap()
}

fn child() -> GroupId {
    GroupId::parse(CHILD).unwrap()
}

/// One job of each kind, with its key.
fn jobs() -> [(JobKind, &'static str, String); 5] {
    let edge = Edge { parent: group(), id: EdgeId::new(child(), 0x2a) };
    let acc = account("acc-1");
    [
        (JobKind::Backfill(edge), "JOBS#2", format!("JOB#backfill#{GROUP}#{CHILD}~000000000000002a")),
        (JobKind::Sweep(edge), "JOBS#4", format!("JOB#sweep#{GROUP}#{CHILD}~000000000000002a")),
        (JobKind::DeleteGroup(group()), "JOBS#7", format!("JOB#delete_group#{GROUP}")),
        (
            JobKind::UpdateAccount(acc.clone(), AccountVersion::deleted(Moment::from_unix_nanos(-7))),
            "JOBS#3",
            "JOB#update_account#acc-1#Tzzzzzzzzzbzzzzz".to_owned(),
        ),
        (JobKind::ReconcileMember(group(), acc), "JOBS#5", format!("JOB#climb#{GROUP}#acc-1")),
    ]
}

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_unix_seconds(1_705_314_600)
}

/// Returns the partition key and the sort key as stored.
fn stored(key: &Key) -> (String, String) {
    let row = key.to_attributes();
    assert_eq!(row.len(), 2);
    (row["PK"].as_s().unwrap().clone(), row["SK"].as_s().unwrap().clone())
}

#[test]
fn keys_are_spelled_as_the_data_model_says() {
    let acc = account("acc-1");
    for (key, partition, sort) in [
        (Key::group(&group()), format!("GROUP#{GROUP}"), "GROUP".to_owned()),
        (Key::member(&group(), &acc), format!("GROUP#{GROUP}"), "MEMBER#acc-1".to_owned()),
        (Key::account(&acc), "ACCOUNT#acc-1".to_owned(), "ACCOUNT".to_owned()),
        (Key::mirror(&acc, &group()), "ACCOUNT#acc-1".to_owned(), format!("GROUP#{GROUP}")),
        (Key::child(&group(), &child()), format!("GROUP#{GROUP}"), format!("CHILD#{CHILD}")),
        (Key::nesting(&child()), format!("GROUP#{CHILD}"), "NEST".to_owned()),
        (Key::audit_record(&group(), &acc), format!("GROUP#{GROUP}"), "TRAIL#acc-1".to_owned()),
        (Key::ends(&acc), "ACCOUNT#acc-1".to_owned(), "UNTIL".to_owned()),
        (Key::due(at(), &group(), &acc), "DUE#1".to_owned(), format!("2024-01-15T10:30:00Z#{GROUP}#acc-1")),
        (Key::idempotency("d1"), "IDEMPOTENCY#d1".to_owned(), "IDEMPOTENCY".to_owned()),
        (Key::deleted_group(&group()), format!("GROUP#{GROUP}"), "PAST".to_owned()),
        (
            Key::group_history(&group(), at(), "acc-1", 12),
            format!("GROUP#{GROUP}"),
            "TIME#2024-01-15T10:30:00Z#acc-1#000000000012".to_owned(),
        ),
        (
            Key::account_history(&acc, at(), &group(), 3),
            "ACCOUNT#acc-1".to_owned(),
            format!("TIME#2024-01-15T10:30:00Z#{GROUP}#000000000003"),
        ),
    ] {
        assert_eq!(stored(&key), (partition, sort));
        assert_eq!(Key::from_row(&key.to_attributes()), Some(key));
    }
    for (kind, partition, sort) in jobs() {
        let key = Key::job(&kind);
        assert_eq!(stored(&key), (partition.to_owned(), sort.clone()));
        assert_eq!((key.as_job(), key.is_known()), (Some(kind.clone()), true));
        let old = Key::first_design_job(&kind);
        assert_eq!(stored(&old), (sort, "JOB".to_owned()));
        assert_eq!((old.as_first_design_job(), old.as_job(), old.is_known()), (Some(kind), None, true));
    }
}

#[test]
fn keys_of_lists_and_searches_have_a_text_and_an_id() {
    for (group_type, is_privileged, partition) in [
        (None, None, "GROUPS"),
        (Some(GroupType::Security), None, "GROUPS#security"),
        (None, Some(true), "GROUPS#privileged"),
        (Some(GroupType::Distribution), Some(false), "GROUPS#distribution#ordinary"),
    ] {
        let filter = GroupFilter { group_type, is_privileged };
        let entry = Key::list_entry(filter, &SortKey::cut("engineering team"), &group());
        assert_eq!(stored(&entry), (partition.to_owned(), format!("engineering team\u{1}{GROUP}")));
        assert_eq!(entry.as_list_entry(), Some((SortKey::cut("engineering team"), group())));
        assert!(entry.is_known());
    }
    for other in ["GROUPS#", "GROUPS#secret", "GROUPS#privileged#security", "GROUPS#security#security", "GROUP"] {
        let key = Key::from_parts(other.into(), format!("a\u{1}{GROUP}"));
        assert!(key.as_list_entry().is_none() && !key.is_known(), "{other}");
    }
    let name = FoldedText::fold("Müs");
    let rows: Vec<_> = name.suffixes().iter().map(|suffix| stored(&Key::search_row(suffix, &group()))).collect();
    let row = |partition: &str, text: &str| (format!("SEARCH#{partition}"), format!("{text}\u{1}{GROUP}"));
    let expected =
        [row("m", "müs"), row("ü", "üs"), row("s", "s"), row("mü", "müs"), row("üs", "üs"), row("müs", "müs")];
    assert_eq!(rows, expected);
    for suffix in name.suffixes() {
        let key = Key::search_row(&suffix, &group());
        assert_eq!(key.as_search_row(), Some((suffix.text.clone(), group())));
        let term = FoldedText::fold(&suffix.text.as_str().chars().take(suffix.gram).collect::<String>());
        assert_eq!(Key::search_hit(&term, &suffix.text, &group()), key);
    }
}

/// Stored keys depend on these values.
#[test]
fn texts_are_spread_over_fixed_partitions() {
    let partitions: Vec<usize> = ["", "acc-1", "acc-2", "acc-3", "Ü"].iter().map(|text| spread(text, 16)).collect();
    assert_eq!(partitions, [2, 9, 11, 12, 4]);
    assert_eq!((spread("acc-1", 8), spread("acc-1", 1)), (1, 0));
    let mut sizes = [0; 8];
    (0..8_000).for_each(|number| sizes[spread(&format!("acc-{number}"), 8)] += 1);
    assert!(sizes.iter().all(|size| (850..1_150).contains(size)), "{sizes:?}");
}

/// A record of an unknown row waits for the version that knows it.
#[test]
fn rows_of_a_later_version_are_unknown() {
    let key = |partition: &str, sort: &str| Key::from_parts(partition.into(), sort.into());
    for (unknown, row_type) in [
        (key(&format!("GROUP#{GROUP}"), "NOTE#1"), "GROUP NOTE"),
        (key("JOBS#1", "JOB#merge_groups#secret"), "JOBS JOB"),
        (key("REPORTS", "secret"), "REPORTS ?"),
        (key("secret", ""), "? ?"),
        (key("GROUPS#secret", "secret\u{1}x"), "GROUPS ?"),
    ] {
        assert!(!unknown.is_known(), "{unknown:?}");
        assert_eq!(unknown.row_type(), row_type);
    }
    for known in [
        Key::group(&group()),
        Key::list_entry(GroupFilter::default(), &SortKey::cut("a#b"), &group()),
        Key::search_hit(&FoldedText::fold("#"), &SortKey::cut("#"), &group()),
        Key::idempotency("d1"),
        Key::audit_record(&group(), &account("acc-1")),
        Key::deleted_group(&group()),
        Key::group_history(&group(), at(), "acc-1", 1),
        Key::account_history(&account("acc-1"), at(), &group(), 1),
        key(&format!("GROUP#{GROUP}"), "NAME#00001"),
        Key::account_text(AccountList::All, &SortKey::cut("a#b"), &account("acc-1")),
        Key::account_text(AccountList::Emails, &SortKey::cut("a"), &account("acc-1")),
        Key::account_text(AccountList::Words, &SortKey::cut("#"), &account("acc-1")),
        Key::account_text(AccountList::ExternalIds, &SortKey::cut("#"), &account("acc-1")),
        Key::unique_name(Named::Account, &SortKey::cut("#")),
    ] {
        assert!(known.is_known(), "{known:?}");
    }
    assert_eq!(key(&format!("GROUP#{GROUP}"), "NAME#00001").as_first_design_name(), Some(group()));
}

#[test]
fn keys_of_provisioned_names_and_ids_are_spelled_as_the_data_model_says() {
    let key = Key::unique_name(Named::Account, &SortKey::cut("a#b"));
    assert_eq!(stored(&key), ("UNIQUE#ACCOUNT#a#b".to_owned(), "UNIQUE".to_owned()));
    let key = Key::unique_name(Named::Group, &SortKey::cut("a"));
    assert_eq!(stored(&key), ("UNIQUE#GROUP#a".to_owned(), "UNIQUE".to_owned()));
    let key = Key::account_text(AccountList::ExternalIds, &SortKey::cut("e-1"), &account("acc-1"));
    assert_eq!(stored(&key), ("PROVISIONED#49".to_owned(), "e-1\u{1}acc-1".to_owned()));
}

#[test]
fn each_key_is_parsed_back_as_its_own_kind_only() {
    let acc = account("acc-1");
    let keys = [
        Key::group(&group()),
        Key::member(&group(), &acc),
        Key::account(&acc),
        Key::mirror(&acc, &group()),
        Key::child(&group(), &child()),
        Key::nesting(&child()),
        Key::job(&JobKind::DeleteGroup(group())),
        Key::list_entry(GroupFilter::default(), &SortKey::cut("a"), &group()),
        Key::search_hit(&FoldedText::fold("a"), &SortKey::cut("a"), &group()),
        Key::idempotency("d1"),
        Key::account_text(AccountList::All, &SortKey::cut("a"), &acc),
        Key::account_text(AccountList::Emails, &SortKey::cut("a"), &acc),
        Key::account_text(AccountList::Words, &SortKey::cut("a"), &acc),
        Key::account_text(AccountList::ExternalIds, &SortKey::cut("a"), &acc),
    ];
    // Each `as_…` method returns the ids for the one key of its kind, and `None` for all others.
    let parsed = |is: &dyn Fn(&Key) -> bool| keys.iter().map(is).collect::<Vec<_>>();
    let only = |index: usize| (0..keys.len()).map(|other| other == index).collect::<Vec<_>>();
    assert_eq!(parsed(&|key| key.as_group() == Some(group())), only(0));
    assert_eq!(parsed(&|key| key.as_member() == Some((group(), acc.clone()))), only(1));
    assert_eq!(parsed(&|key| key.as_account() == Some(acc.clone())), only(2));
    assert_eq!(parsed(&|key| key.as_mirror() == Some((acc.clone(), group()))), only(3));
    assert_eq!(parsed(&|key| key.as_child() == Some((group(), child()))), only(4));
    assert_eq!(parsed(&|key| key.as_nesting() == Some(child())), only(5));
    assert_eq!(parsed(&|key| key.as_job() == Some(JobKind::DeleteGroup(group()))), only(6));
    assert_eq!(parsed(&|key| key.as_list_entry() == Some((SortKey::cut("a"), group()))), only(7));
    assert_eq!(parsed(&|key| key.as_search_row() == Some((SortKey::cut("a"), group()))), only(8));
    let is_text = |key: &Key| key.as_account_text() == Some((SortKey::cut("a"), acc.clone()));
    assert_eq!(parsed(&is_text), (0..keys.len()).map(|index| index > 9).collect::<Vec<_>>());
    let idempotency = &keys[9];
    assert!(idempotency.as_group().is_none() && idempotency.as_member().is_none() && idempotency.as_child().is_none());
    assert!(idempotency.as_job().is_none() && idempotency.as_account().is_none());
}

#[test]
fn history_is_in_the_order_of_its_changes_behind_all_other_rows() {
    let second = |seconds: i64| Timestamp::from_unix_seconds(at().unix_seconds() + seconds);
    let keys = [
        Key::audit_record(&group(), &account("acc-1")),
        Key::group_history(&group(), at(), "acc-1", 9),
        Key::group_history(&group(), at(), "acc-1", 10),
        Key::group_history(&group(), second(1), "acc-1", 11),
    ];
    let [audit_record, first, second_change, third] = &keys;
    assert!(first < second_change && second_change < third && third < audit_record);
    assert_eq!((first.as_history(), audit_record.as_history()), (Some(at()), None));
    let position = second_change.history_position().unwrap();
    assert_eq!(Key::in_group_history(&group(), position), *second_change);
    let range = |since, until| Range::GroupHistory(group(), Period { since, until });
    let in_range = |range: Range| keys.iter().filter(|key| range.contains(key)).count();
    assert_eq!(in_range(range(None, None)), 3);
    assert_eq!(in_range(range(Some(second(1)), None)), 1);
    assert_eq!(in_range(range(None, Some(second(1)))), 2);
    assert_eq!(in_range(range(Some(at()), Some(at()))), 0);
    let others = [Range::GroupAndMembers(group()), Range::AuditRecords(group()), Range::ChildrenAndGroup(group())];
    assert!(others.iter().all(|range| !range.contains(first) && !range.contains(&Key::deleted_group(&group()))));
}

#[test]
fn row_without_two_string_keys_has_no_key() {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for row in [
        vec![],
        vec![("PK", text("GROUP#x"))],
        vec![("SK", text("GROUP"))],
        vec![("PK", text("GROUP#x")), ("SK", AttributeValue::N("1".into()))],
    ] {
        let row: HashMap<_, _> = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Key::from_row(&row), None);
    }
}

#[test]
fn each_range_holds_exactly_its_rows() {
    let acc = account("acc-1");
    // Sort keys of a group's partition, in order.
    let in_group = ["CHILD#c", "GROUP", "MEMBER#!", "MEMBER#acc-1", "MEMBER#~", "NAME#0", "NEST"];
    let in_range = |range: &Range, sorts: &[&str]| -> Vec<String> {
        let (first, last) = range.bounds().sort.unwrap();
        sorts
            .iter()
            .filter(|sort| (first.as_str()..=last.as_str()).contains(*sort))
            .map(|sort| (*sort).to_owned())
            .collect()
    };
    assert_eq!(in_range(&Range::GroupAndMembers(group()), &in_group), in_group[1..5]);
    assert_eq!(in_range(&Range::Members(group()), &in_group), in_group[2..5]);
    assert_eq!(in_range(&Range::ChildrenAndGroup(group()), &in_group), in_group[..2]);
    let in_account = ["ACCOUNT", &format!("GROUP#{GROUP}"), "GROUP#grp-ffffffff-ffff-7fff-bfff-ffffffffffff"];
    assert_eq!(in_range(&Range::AccountAndMirrors(acc.clone()), &in_account), in_account);
    assert_eq!(in_range(&Range::Mirrors(acc), &in_account), in_account[1..]);
    assert_eq!(in_range(&Range::FirstDesignNames(group()), &in_group), in_group[5..6]);
    let all = |partition: &str| Bounds { partition: partition.into(), sort: None };
    assert_eq!(Range::Jobs(3).bounds(), all("JOBS#3"));
    assert_eq!(Range::Groups(GroupFilter::default()).bounds(), all("GROUPS"));
    let names = ["fi\u{1}id", "finance\u{1}id", "fine\u{1}id", "fio\u{1}id"];
    assert_eq!(in_range(&Range::Search(FoldedText::fold("fin")), &names), names[1..3]);
    assert_eq!(Range::Search(FoldedText::fold("fin")).bounds().partition, "SEARCH#fin");
    assert_eq!(Range::Accounts.bounds(), all("ACCOUNTS"));
    assert_eq!(in_range(&Range::Words("fin".into()), &names), names[1..3]);
    assert_eq!(Range::Words("fin".into()).bounds().partition, "WORD#f");
    let addresses = ["a@b\u{1}id", "a@b.c\u{1}id", "a@b\u{1}~", "a@\u{1}id"];
    assert_eq!(in_range(&Range::Email(SortKey::cut("a@b")), &addresses), [addresses[0], addresses[2]]);
}

#[test]
fn range_contains_the_keys_of_its_rows_only() {
    let key = |list, text: &str| Key::account_text(list, &SortKey::cut(text), &account("acc-1"));
    let words = Range::Words("jo".into());
    assert!(words.contains(&key(AccountList::Words, "john")));
    for other in [key(AccountList::Words, "jane"), key(AccountList::All, "john"), key(AccountList::Emails, "john")] {
        assert!(!words.contains(&other), "{other:?}");
    }
    assert!(Range::Accounts.contains(&key(AccountList::All, "")));
    let email = Range::Email(SortKey::cut("a@b"));
    assert!(email.contains(&key(AccountList::Emails, "a@b")) && !email.contains(&key(AccountList::Emails, "a@bc")));
}

#[test]
fn longest_keys_fit_the_limits_of_dynamodb() {
    // DynamoDB Developer Guide, "Service, account, and table quotas": 2,048 bytes of partition key, 1,024 of sort key.
    let longest_name = FoldedText::fold(&"\u{fdfa}".repeat(256)).sort_key();
    let (_, sort) = stored(&Key::list_entry(GroupFilter::default(), &longest_name, &group()));
    assert!(sort.len() <= 1_024);
    let longest = SortKey::cut(&"x".repeat(crate::domain::AccountTexts::MAX_BYTES));
    let (_, sort) = stored(&Key::account_text(AccountList::Words, &longest, &account(&"a".repeat(128))));
    assert!(sort.len() <= 1_024);
    let (partition, sort) = stored(&Key::mirror(&account(&"a".repeat(128)), &group()));
    assert!(partition.len() <= 2_048 && sort.len() <= 1_024);
}

proptest! {
    #[test]
    fn list_entries_sort_by_name_then_id(a in "[aA !\"]{1,3}|\\PC{1,6}", b in "[aA !\"]{1,3}|\\PC{1,6}", x: u128, y: u128) {
        let place = |name: &str, random| (FoldedText::fold(name).sort_key(), GroupId::new(1, random));
        let (a, b) = (place(&a, x), place(&b, y));
        let key = |(name, id): &(SortKey, GroupId)| Key::list_entry(GroupFilter::default(), name, id);
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
    }
}
