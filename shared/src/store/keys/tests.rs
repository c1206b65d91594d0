//! Spells out the keys as stored: a change here needs a migration of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    AccountId, AccountVersion, Edge, EdgeId, FoldedText, GroupId, JobKind, Moment, SortKey, Timestamp,
};

const GROUP: &str = "grp-018d0cab-c440-7000-8000-000000000001";
const CHILD: &str = "grp-018d0cab-c440-7000-8000-000000000002";

fn group() -> GroupId {
    GroupId::parse(GROUP).unwrap()
}

fn child() -> GroupId {
    GroupId::parse(CHILD).unwrap()
}

/// One job of each kind, with its partition key.
fn jobs() -> [(JobKind, String); 5] {
    let edge = Edge { parent: group(), id: EdgeId::new(child(), 0x2a) };
    let acc = account("acc-1");
    [
        (JobKind::Backfill(edge), format!("JOB#backfill#{GROUP}#{CHILD}~000000000000002a")),
        (JobKind::Sweep(edge), format!("JOB#sweep#{GROUP}#{CHILD}~000000000000002a")),
        (JobKind::DeleteGroup(group()), format!("JOB#delete_group#{GROUP}")),
        (
            JobKind::UpdateAccount(acc.clone(), AccountVersion::deleted(Moment::from_unix_nanos(-7))),
            "JOB#update_account#acc-1#Tzzzzzzzzzbzzzzz".to_owned(),
        ),
        (JobKind::ReconcileMember(group(), acc), format!("JOB#climb#{GROUP}#acc-1")),
    ]
}

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
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
        (Key::idempotency("d1"), "IDEMPOTENCY#d1".to_owned(), "IDEMPOTENCY".to_owned()),
    ] {
        assert_eq!(stored(&key), (partition, sort));
        assert_eq!(Key::from_row(&key.to_attributes()), Some(key));
    }
    for (kind, partition) in jobs() {
        let key = Key::job(&kind);
        assert_eq!(stored(&key), (partition.clone(), "JOB".to_owned()));
        assert_eq!(key.as_job(), Some(kind.clone()));
        let list_key = ListKey::job(&kind, Timestamp::from_unix_seconds(0)).to_attributes();
        assert_eq!(list_key["GSI1PK"].as_s().unwrap(), "JOBS");
        assert_eq!(list_key["GSI1SK"].as_s().unwrap(), &format!("1970-01-01T00:00:00Z\u{1}{partition}"));
    }
    let list_key = ListKey::group(&SortKey::cut("engineering team"), &group()).to_attributes();
    assert_eq!(list_key["GSI1PK"].as_s().unwrap(), "GROUPS");
    assert_eq!(list_key["GSI1SK"].as_s().unwrap(), &format!("engineering team\u{1}{GROUP}"));
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
        Key::idempotency("d1"),
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
    let idempotency = &keys[7];
    assert!(idempotency.as_group().is_none() && idempotency.as_member().is_none() && idempotency.as_child().is_none());
    assert!(idempotency.as_job().is_none() && idempotency.as_account().is_none());
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
    assert_eq!(in_range(&Range::Suffixes(group()), &in_group), in_group[5..6]);
    let all = |partition: &str| Bounds { in_index: true, partition: partition.into(), sort: None };
    assert_eq!(Range::Jobs.bounds(), all("JOBS"));
    assert_eq!(Range::Groups.bounds(), all("GROUPS"));
}

#[test]
fn longest_keys_fit_the_limits_of_dynamodb() {
    // DynamoDB Developer Guide, "Service, account, and table quotas": 2,048 bytes of partition key, 1,024 of sort key.
    let longest_name = FoldedText::fold(&"\u{fdfa}".repeat(256)).sort_key();
    let list_key = ListKey::group(&longest_name, &group());
    assert!(list_key.sort().len() <= 1_024);
    let (partition, sort) = stored(&Key::mirror(&account(&"a".repeat(128)), &group()));
    assert!(partition.len() <= 2_048 && sort.len() <= 1_024);
}

proptest! {
    #[test]
    fn index_keys_sort_by_name_then_id(a in "[aA !\"]{1,3}|\\PC{1,6}", b in "[aA !\"]{1,3}|\\PC{1,6}", x: u128, y: u128) {
        let place = |name: &str, random| (FoldedText::fold(name).sort_key(), GroupId::new(1, random));
        let (a, b) = (place(&a, x), place(&b, y));
        let key = |(name, id): &(SortKey, GroupId)| ListKey::group(name, id).sort().to_owned();
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
    }
}
