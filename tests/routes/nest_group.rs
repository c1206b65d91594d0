use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, variable};

#[tokio::test]
async fn members_of_a_nested_group_become_indirect_members() {
    let api = Api::start().await;
    let [engineering, backend] = groups(&api, ["Engineering", "Backend"]).await;
    api.members(&backend, 0..2).await;
    api.members(&engineering, 1..3).await;

    let answer = api.put(&format!("/{engineering}/groups/{backend}"), Value::Null).await;

    assert_eq!(answer.header("membership-settled"), Some("true"));
    let child = answer.ok();
    assert_eq!((&child["id"], &child["member_count"]), (&json!(backend), &json!(2)));

    let members = api.get(&format!("/{engineering}/members")).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(3), 3));
    let [inherited, both, direct] = [0, 1, 2].map(|index| members["members"][index].clone());
    assert_eq!((&inherited["membership_type"], &inherited["via"]), (&json!("indirect"), &json!([backend])));
    assert_eq!(inherited["email"], json!("acc-00000@company.com"));
    // A direct member who also inherits is shown as direct.
    assert_eq!((&both["membership_type"], both.get("via")), (&json!("direct"), None));
    assert_eq!((&direct["membership_type"], direct.get("via")), (&json!("direct"), None));
    assert_eq!(api.get(&format!("/{engineering}/members/acc-00000")).await.ok(), inherited);

    let parent = api.get(&format!("/{engineering}")).await.ok();
    let counts = ["member_count", "direct_member_count", "nested_group_count"].map(|name| parent[name].clone());
    assert_eq!(counts, [json!(3), json!(2), json!(1)]);
    let groups = api.all_items("?member=acc-00000", "groups").await;
    let types: Vec<(&Value, &Value)> = groups.iter().map(|group| (&group["id"], &group["membership_type"])).collect();
    let expected = [(&json!(backend), &json!("direct")), (&json!(engineering), &json!("indirect"))];
    assert_eq!(types, expected);
    for (membership_type, count) in [("direct", 2), ("indirect", 1)] {
        let page = api.get(&format!("/{engineering}/members?membership_type={membership_type}")).await.ok();
        assert_eq!((page["members"].as_array().unwrap().len(), &page["count"]), (count, &json!(count)));
    }
}

#[tokio::test]
async fn nesting_again_changes_nothing() {
    let api = Api::start().await;
    let [engineering, backend] = chain(&api, ["Engineering", "Backend"]).await;
    api.members(&backend, 0..1).await;
    for _ in 0..2 {
        let answer = api.put(&format!("/{engineering}/groups/{backend}"), json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("true")));
    }
    let parent = api.get(&format!("/{engineering}")).await.ok();
    assert_eq!((&parent["nested_group_count"], &parent["member_count"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn member_is_inherited_at_every_level_with_the_children_it_comes_through() {
    let api = Api::start().await;
    // A diamond: the company holds two departments, both hold the team, and a squad is nested in the team.
    let [company, frontend, backend, team, squad] =
        groups(&api, ["Company", "Frontend", "Backend", "Team", "Squad"]).await;
    let edges = [(&company, &frontend), (&frontend, &team), (&company, &backend), (&backend, &team), (&team, &squad)];
    for (parent, child) in edges {
        api.nest(parent, child).await;
    }
    api.accounts(&["acc-1"]).await;

    let answer = api.put(&format!("/{squad}/members/acc-1"), Value::Null).await;

    assert_eq!(answer.header("membership-settled"), Some("true"));
    for (group, via) in [
        (&team, vec![&squad]),
        (&frontend, vec![&team]),
        (&backend, vec![&team]),
        (&company, vec![&frontend, &backend]),
    ] {
        let member = api.get(&format!("/{group}/members/acc-1")).await.ok();
        assert_eq!((&member["membership_type"], &member["via"]), (&json!("indirect"), &json!(via)));
    }
    let answer = api.delete(&format!("/{frontend}/groups/{team}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    assert_eq!(api.get(&format!("/{company}/members/acc-1")).await.ok()["via"], json!([backend]));
    let answer = api.delete(&format!("/{squad}/members/acc-1")).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    for group in [&company, &frontend, &backend, &team, &squad] {
        assert_eq!(api.member_types(group).await, []);
        assert_eq!(api.get(&format!("/{group}")).await.ok()["member_count"], json!(0));
    }
}

#[tokio::test]
async fn cycle_is_refused_and_its_path_named() {
    let api = Api::start().await;
    let [a, b, c] = &chain(&api, ["A", "B", "C"]).await;
    for (parent, child, path) in [(c, a, vec![c, a, b, c]), (b, a, vec![b, a, b]), (a, a, vec![a, a])] {
        let answer = api.put(&format!("/{parent}/groups/{child}"), Value::Null).await;
        let path = path.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("nesting it would make a cycle, in which each contains the next: {path}");
        assert_eq!(answer.refused(409, "CONFLICT"), message);
    }
    assert_eq!(api.get(&format!("/{c}")).await.ok()["nested_group_count"], json!(0));
    // Once the chain is cut, the same nesting makes no cycle.
    assert_eq!(api.delete(&format!("/{a}/groups/{b}")).await.status, 204);
    api.nest(c, a).await;
}

#[tokio::test]
async fn group_holds_at_most_100_nested_groups() {
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
async fn group_has_at_most_90_ancestors() {
    let api = Api::start().await;
    let names: Vec<String> = (0..=90).map(|level| format!("Level {level:02}")).collect();
    let levels = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (top, bottom) = (&levels[0], &levels[90]);
    let one_more = api.group("One more").await;

    let answer = api.put(&format!("/{bottom}/groups/{one_more}"), Value::Null).await;

    assert_eq!(answer.refused(409, "CONFLICT"), "a group is nested in at most 90 groups, counted through all levels");
    api.members(bottom, 0..1).await;
    let answer = api.put(&format!("/{bottom}/members/acc-00000"), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    assert_eq!(api.member_types(top).await, [("acc-00000".to_owned(), "indirect".to_owned())]);

    // From the other side: the bottom would have one more with a group above the top, whichever edge comes last.
    let above = &one_more;
    let too_many = "a group is nested in at most 90 groups, counted through all levels";
    let answer = api.put(&format!("/{above}/groups/{top}"), Value::Null).await;
    assert_eq!(answer.refused(409, "CONFLICT"), too_many);
    let first_edge = format!("/{top}/groups/{}", levels[1]);
    assert_eq!(api.delete(&first_edge).await.status, 204);
    api.nest(above, top).await;
    let answer = api.put(&first_edge, Value::Null).await;
    assert_eq!(answer.refused(409, "CONFLICT"), too_many);
    // Undoing both leads back.
    assert_eq!(api.delete(&format!("/{above}/groups/{top}")).await.status, 204);
    api.put(&first_edge, Value::Null).await.ok();
    assert_eq!(api.member_types(top).await.len(), 1);
}

/// Of concurrent nestings that together would make a cycle, one always fails. `GROUPS_TEST_TRIES` sets the number of
/// tries.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_nestings_never_make_a_cycle() {
    let api = &Api::start_with_long_timeout().await;
    let tries = variable("GROUPS_TEST_TRIES").unwrap_or(60);
    let attempts = stream::iter(0..tries).map(|number| async move {
        let length = if number.is_multiple_of(2) { 2 } else { 3 };
        let ring =
            join_all((0..length).map(|place| async move { api.group(&format!("{number} {place}")).await })).await;
        let answers = join_all((0..length).map(|place| {
            let (parent, child) = (&ring[place], &ring[(place + 1) % length]);
            let path = format!("/{parent}/groups/{child}");
            async move { api.put(&path, Value::Null).await.status.as_u16() }
        }));
        let mut statuses = answers.await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 409][3 - length..]);
    });
    attempts.buffer_unordered(60).collect::<()>().await;
}

/// There are two ways from the child up to the parent, one of them over a deleted group: the error names the other.
#[tokio::test]
async fn cycle_through_a_deleted_group_is_not_named() {
    let api = Api::start().await;
    let [parent, child, deleted, x, y] = &groups(&api, ["Parent", "Child", "Deleted", "X", "Y"]).await;
    for (above, below) in [(deleted, parent), (child, deleted), (x, parent), (y, x), (child, y)] {
        api.nest(above, below).await;
    }
    assert_eq!(api.delete(&format!("/{deleted}")).await.status, 204);

    let answer = api.put(&format!("/{parent}/groups/{child}"), Value::Null).await;

    let message = answer.refused(409, "CONFLICT");
    let path = [parent, child, y, x, parent].map(String::as_str).join(", ");
    assert!(message.ends_with(&path), "{message}");
}

#[tokio::test]
async fn group_has_at_most_90_parents() {
    let api = Api::start().await;
    let child = api.group("Child").await;
    for number in 0..90 {
        let parent = api.group(&format!("Parent {number}")).await;
        api.nest(&parent, &child).await;
    }
    let one_more = api.group("One more").await;

    let answer = api.put(&format!("/{one_more}/groups/{child}"), Value::Null).await;

    let message = answer.refused(409, "CONFLICT");
    assert!(message.contains("90"), "{message}");
}

#[tokio::test]
async fn unknown_or_deleted_parent_or_child_is_404() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    for unknown in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.put(&format!("/{unknown}/groups/{engineering}"), Value::Null).await;
        assert_eq!(answer.not_found(), "the group does not exist");
        let answer = api.put(&format!("/{engineering}/groups/{unknown}"), Value::Null).await;
        assert_eq!(answer.not_found(), format!("the group {unknown} to be nested does not exist"));
    }
    let deleted = api.group("Deleted").await;
    assert_eq!(api.delete(&format!("/{deleted}")).await.status, 204);
    api.put(&format!("/{engineering}/groups/{deleted}"), Value::Null).await.not_found();
    api.put(&format!("/{deleted}/groups/{engineering}"), Value::Null).await.not_found();
}

#[tokio::test]
async fn body_must_be_empty_or_an_empty_object() {
    let api = Api::start().await;
    let [engineering, backend] = groups(&api, ["Engineering", "Backend"]).await;
    let errors = api.put(&format!("/{engineering}/groups/{backend}"), json!({ "deep": true })).await.field_errors();
    assert_eq!(errors, [("deep".to_owned(), "is not known here".to_owned())]);
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["nested_group_count"], json!(0));
}
