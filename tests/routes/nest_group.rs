use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use serde_json::{Value, json};

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, variable};

#[tokio::test]
async fn members_of_a_nested_group_are_members() {
    let api = Api::start().await;
    let ids = [api.group("A").await, api.group("B").await];
    api.members(&ids[1], 0..2).await;
    api.members(&ids[0], 1..3).await;
    let answer = api.put(&format!("/{}/groups/{}", ids[0], ids[1]), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    let child = answer.ok();
    assert_eq!((&child["id"], &child["member_count"]), (&json!(ids[1]), &json!(2)));

    let members = api.get(&format!("/{}/members", ids[0])).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(3), 3));
    let [inherited, both, direct] = [0, 1, 2].map(|index| members["members"][index].clone());
    assert_eq!((&inherited["membership_type"], &inherited["via"]), (&json!("indirect"), &json!([ids[1]])));
    assert_eq!(inherited["email"], json!("acc-00000@company.com"));
    // Also inherited, but a direct member all the same.
    assert_eq!((&both["membership_type"], both.get("via")), (&json!("direct"), None));
    assert_eq!((&direct["membership_type"], direct.get("via")), (&json!("direct"), None));
    assert_eq!(api.get(&format!("/{}/members/acc-00000", ids[0])).await.ok(), inherited);

    let parent = api.get(&format!("/{}", ids[0])).await.ok();
    let counts = ["member_count", "direct_member_count", "nested_group_count"].map(|name| parent[name].clone());
    assert_eq!(counts, [json!(3), json!(2), json!(1)]);
    let groups = api.walk("?member=acc-00000", "groups").await;
    let types: Vec<&Value> = groups.iter().map(|group| &group["membership_type"]).collect();
    assert_eq!(types, [&json!("indirect"), &json!("direct")]);
    for (only, count) in [("direct", 2), ("indirect", 1)] {
        let page = api.get(&format!("/{}/members?membership_type={only}", ids[0])).await.ok();
        assert_eq!((page["members"].as_array().unwrap().len(), &page["count"]), (count, &json!(count)));
    }
}

#[tokio::test]
async fn nesting_again_changes_nothing() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B"]).await;
    api.members(&ids[1], 0..1).await;
    for _ in 0..2 {
        let answer = api.put(&format!("/{}/groups/{}", ids[0], ids[1]), json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("true")));
    }
    let parent = api.get(&format!("/{}", ids[0])).await.ok();
    assert_eq!((&parent["nested_group_count"], &parent["member_count"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_member_is_one_at_every_level_and_says_through_which_groups() {
    let api = Api::start().await;
    // A holds B and C, both hold D: a diamond, and E is below it.
    let [a, b, c, d, e] = ["A", "B", "C", "D", "E"].map(|name| name.to_owned());
    let mut ids = Vec::new();
    for name in [&a, &b, &c, &d, &e] {
        ids.push(api.group(name).await);
    }
    for (parent, child) in [(0, 1), (1, 3), (0, 2), (2, 3), (3, 4)] {
        api.nest(&ids[parent], &ids[child]).await;
    }
    api.accounts(&["acc-1"]).await;
    let answer = api.put(&format!("/{}/members/acc-1", ids[4]), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    for (group, through) in [(3, vec![4]), (1, vec![3]), (2, vec![3]), (0, vec![1, 2])] {
        let member = api.get(&format!("/{}/members/acc-1", ids[group])).await.ok();
        let through: Vec<&String> = through.into_iter().map(|index: usize| &ids[index]).collect();
        assert_eq!((&member["membership_type"], &member["via"]), (&json!("indirect"), &json!(through)));
    }
    let answer = api.delete(&format!("/{}/groups/{}", ids[1], ids[3])).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    assert_eq!(api.get(&format!("/{}/members/acc-1", ids[0])).await.ok()["via"], json!([ids[2]]));
    let answer = api.delete(&format!("/{}/members/acc-1", ids[4])).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    for id in &ids {
        assert_eq!(api.member_types(id).await, []);
        assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0));
    }
}

#[tokio::test]
async fn a_cycle_is_refused_and_named() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B", "C"]).await;
    let cycle = |path: &[usize]| {
        let path: Vec<&str> = path.iter().map(|index| ids[*index].as_str()).collect();
        format!("nesting it would make a cycle, in which each contains the next: {}", path.join(", "))
    };
    for (parent, child, path) in [(2, 0, vec![2, 0, 1, 2]), (1, 0, vec![1, 0, 1]), (0, 0, vec![0, 0])] {
        let answer = api.put(&format!("/{}/groups/{}", ids[parent], ids[child]), Value::Null).await;
        assert_eq!(answer.refused(409, "CONFLICT"), cycle(&path));
    }
    assert_eq!(api.get(&format!("/{}", ids[2])).await.ok()["nested_group_count"], json!(0));
    // Nothing stands in the way once the chain is cut.
    assert_eq!(api.delete(&format!("/{}/groups/{}", ids[0], ids[1])).await.status, 204);
    api.nest(&ids[2], &ids[0]).await;
}

#[tokio::test]
async fn a_group_holds_a_hundred_groups() {
    let api = Api::start().await;
    let parent = api.group("Parent").await;
    for number in 0..100 {
        let child = api.group(&format!("Child {number:03}")).await;
        api.nest(&parent, &child).await;
    }
    let one_more = api.group("One more").await;
    let answer = api.put(&format!("/{parent}/groups/{one_more}"), Value::Null).await;
    assert_eq!(answer.refused(409, "CONFLICT"), "a group holds at most 100 directly nested groups");
    assert_eq!(api.get(&format!("/{parent}")).await.ok()["nested_group_count"], json!(100));
}

#[tokio::test]
async fn a_group_is_nested_ninety_levels_deep() {
    let api = Api::start().await;
    let names: Vec<String> = (0..=90).map(|level| format!("Level {level:02}")).collect();
    let ids = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let one_more = api.group("One more").await;
    let answer = api.put(&format!("/{}/groups/{one_more}", ids[90]), Value::Null).await;
    assert_eq!(answer.refused(409, "CONFLICT"), "a group is nested in at most 90 groups, counted through all levels");
    api.members(&ids[90], 0..1).await;
    let answer = api.put(&format!("/{}/members/acc-00000", ids[90]), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    assert_eq!(api.member_types(&ids[0]).await, [("acc-00000".to_owned(), "indirect".to_owned())]);
}

/// Of nestings that together would make a cycle one never comes about, however they meet. `GROUPS_TEST_TRIES` says how
/// often they do.
#[tokio::test(flavor = "multi_thread")]
async fn nestings_side_by_side_never_make_a_cycle() {
    let api = &Api::start_patient().await;
    let tries = variable("GROUPS_TEST_TRIES").unwrap_or(60);
    let met = stream::iter(0..tries).map(|number| async move {
        let length = if number.is_multiple_of(2) { 2 } else { 3 };
        let ids = join_all((0..length).map(|place| async move { api.group(&format!("{number} {place}")).await })).await;
        let answers = join_all((0..length).map(|parent| {
            let path = format!("/{}/groups/{}", ids[parent], ids[(parent + 1) % length]);
            async move { api.put(&path, Value::Null).await.status.as_u16() }
        }));
        let mut statuses = answers.await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 409][3 - length..]);
    });
    met.buffer_unordered(60).collect::<()>().await;
}

/// Of two ways around, one over a group that is being deleted, the other is named.
#[tokio::test]
async fn a_deleted_group_is_not_what_makes_a_cycle() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for name in ["Parent", "Child", "Deleted", "X", "Y"] {
        ids.push(api.group(name).await);
    }
    for (parent, child) in [(2, 0), (1, 2), (3, 0), (4, 3), (1, 4)] {
        api.nest(&ids[parent], &ids[child]).await;
    }
    assert_eq!(api.delete(&format!("/{}", ids[2])).await.status, 204);
    let answer = api.put(&format!("/{}/groups/{}", ids[0], ids[1]), Value::Null).await;
    let message = answer.refused(409, "CONFLICT");
    let path: Vec<&str> = [0, 1, 4, 3, 0].map(|at: usize| ids[at].as_str()).into();
    assert!(message.ends_with(&path.join(", ")), "{message}");
}

#[tokio::test]
async fn a_group_is_nested_directly_in_ninety_groups() {
    let api = Api::start().await;
    let child = api.group("Child").await;
    for number in 0..90 {
        let parent = api.group(&format!("Parent {number}")).await;
        api.nest(&parent, &child).await;
    }
    let parent = api.group("One more").await;
    let answer = api.put(&format!("/{parent}/groups/{child}"), Value::Null).await;
    let message = answer.refused(409, "CONFLICT");
    assert!(message.contains("90"), "{message}");
}

#[tokio::test]
async fn only_groups_that_exist_are_nested() {
    let api = Api::start().await;
    let id = api.group("A").await;
    for other in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.put(&format!("/{other}/groups/{id}"), Value::Null).await;
        assert_eq!(answer.not_found(), "the group does not exist");
        let answer = api.put(&format!("/{id}/groups/{other}"), Value::Null).await;
        assert_eq!(answer.not_found(), format!("the group {other} to be nested does not exist"));
    }
    let gone = api.group("Gone").await;
    assert_eq!(api.delete(&format!("/{gone}")).await.status, 204);
    api.put(&format!("/{id}/groups/{gone}"), Value::Null).await.not_found();
    api.put(&format!("/{gone}/groups/{id}"), Value::Null).await.not_found();
}

#[tokio::test]
async fn a_body_has_nothing_to_say() {
    let api = Api::start().await;
    let ids = [api.group("A").await, api.group("B").await];
    let faults = api.put(&format!("/{}/groups/{}", ids[0], ids[1]), json!({ "deep": true })).await.faults();
    assert_eq!(faults, [("deep".to_owned(), "is not known here".to_owned())]);
    assert_eq!(api.get(&format!("/{}", ids[0])).await.ok()["nested_group_count"], json!(0));
}
