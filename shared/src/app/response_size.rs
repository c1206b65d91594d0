//! Tests the store's estimate of response sizes against the responses of the API. Only `app` imports both.

use serde::Serialize;

use crate::api::history::HistoryEntryResponse;
use crate::api::responses::{GroupResponse, MemberResponse};
use crate::domain::group::Description;
use crate::domain::{
    Account, AccountId, AccountVersion, Actor, EdgeId, ExternalId, Group, GroupEmail, GroupId, GroupName, GroupProfile,
    GroupType, HistoryChange, HistoryEntry, Member, Membership, Moment, PastGroup, PastMembership, Timestamp, Version,
};
use crate::store::ResponseSize;

/// Bytes of an item in Lambda's payload: JSON in a JSON string, with a comma after the item.
fn payload_bytes(item: &impl Serialize) -> usize {
    let body = serde_json::to_string(item).unwrap();
    serde_json::to_string(&body).unwrap().len() - "\"\"".len() + ",".len()
}

fn latest() -> Timestamp {
    Timestamp::from_unix_seconds(253_402_300_799)
}

fn group(name: &str, description: &str) -> Group {
    let profile = GroupProfile {
        name: GroupName::parse(name).unwrap(),
        description: Description::parse(description).unwrap(),
        group_type: GroupType::Distribution,
        is_privileged: false,
        external_id: Some(ExternalId::parse(&name.repeat(2).chars().take(255).collect::<String>()).unwrap()),
        email: Some(GroupEmail::parse(&format!("{}@x", "\"".repeat(200))).unwrap()),
    };
    let counts = u64::from(u32::MAX);
    Group {
        member_count: counts,
        direct_member_count: counts,
        nested_group_count: 100,
        updated_at: latest(),
        created_by: Some(Actor::new(name)),
        updated_by: Some(Actor::new(description)),
        version: Version(u64::MAX),
        ..Group::new(GroupId::new(1, u128::MAX), profile, latest())
    }
}

fn membership(via: u64) -> Membership {
    let edge = |number| EdgeId::new(GroupId::new(number, u128::MAX), number);
    Membership { direct: false, via: (0..via).map(edge).collect() }
}

fn member(text: &str, via: u64) -> Member {
    let account = Account {
        id: AccountId::parse(&"a".repeat(AccountId::MAX_CHARS)).unwrap(),
        name: text.to_owned(),
        email: text.to_owned(),
        status: text.to_owned(),
        version: AccountVersion::at(Moment::EARLIEST),
    };
    Member { account, membership: membership(via), added_at: latest(), expires_at: Some(latest()) }
}

#[test]
fn estimate_covers_the_largest_groups() {
    for (name, description) in [("x", ""), ("\"\\", "\u{1}\n\"\\"), ("\u{fdfa}", "\u{10ffff}")] {
        for repeats in [1, 100] {
            let group = group(&name.repeat(repeats), &description.repeat(repeats));
            for via in [0, 1, 100] {
                // As one of an account's groups, a response has the membership as well.
                let listed = (group.clone(), membership(via));
                let (estimate, bytes) = (listed.response_bytes(), payload_bytes(&GroupResponse::from(&listed)));
                assert!(bytes <= estimate, "{name:?} {repeats} {via}");
                let spare = estimate - bytes;
                let expected = 150 + 3 * usize::try_from(via).unwrap() + 5 * repeats * (name.len() + description.len());
                assert!(spare < expected, "{spare} bytes wasted");
            }
        }
    }
}

#[test]
fn estimate_covers_the_largest_entries_of_a_history() {
    let actor = Actor::new(&"\"".repeat(100));
    let entry = |change| HistoryEntry { revision: u64::MAX, at: latest(), actor: actor.clone(), change };
    let id = GroupId::new(1, u128::MAX);
    let largest = || Some(Box::new(group(&"\u{fdfa}".repeat(100), &"\u{1}\"".repeat(100))));
    let account = AccountId::parse(&"\"".repeat(AccountId::MAX_CHARS)).unwrap();
    let past = |via| Some(PastMembership { membership: membership(via), added_at: latest() });
    let member = |via| HistoryChange::Member {
        group: id,
        account: account.clone(),
        before: past(via),
        after: past(via),
        before_since: Some(latest()),
    };
    let changes = [
        HistoryChange::Group { group: id, before: largest(), after: largest() },
        HistoryChange::Nesting { parent: id, child: id, is_nested: false },
        member(0),
        member(100),
    ];
    for entry in changes.map(entry) {
        let (estimate, bytes) = (entry.response_bytes(), payload_bytes(&HistoryEntryResponse::from(&entry)));
        assert!(bytes <= estimate, "{bytes} bytes in {estimate}");
    }
    let past = PastGroup { group: *largest().unwrap(), membership: membership(100), deleted_at: Some(latest()) };
    assert!(payload_bytes(&GroupResponse::from(&past)) <= past.response_bytes());
}

#[test]
fn estimate_covers_the_largest_members() {
    for text in ["x", "\"\\", "\u{fdfa}"] {
        for (repeats, via) in [(1, 0), (100, 1), (100, 100)] {
            let member = member(&text.repeat(repeats), via);
            assert!(
                payload_bytes(&MemberResponse::from(&member)) <= member.response_bytes(),
                "{text:?} {repeats} {via}"
            );
        }
    }
}
