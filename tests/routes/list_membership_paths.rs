use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::exchange::{T2, request_event};
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

/// Returns the paths of an account, each as the names of its groups, and whether there are more.
async fn paths(api: &Api, group: &str, query: &str) -> (Vec<Vec<String>>, bool) {
    let body = api.get(&format!("/{group}/members/acc-1/paths{query}")).await.ok();
    let name = |step: &Value| step["group_name"].as_str().unwrap().to_owned();
    let names = |path: &Value| path["steps"].as_array().unwrap().iter().map(name).collect();
    (body["paths"].as_array().unwrap().iter().map(names).collect(), body["hasMore"].as_bool().unwrap())
}

#[tokio::test]
async fn diamond_has_two_paths_and_a_direct_membership_is_the_shortest() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [top, _, bottom] = chain(&api, ["Top", "Left", "Bottom"]).await;
    let [right] = groups(&api, ["Right"]).await;
    api.nest(&top, &right).await;
    api.nest(&right, &bottom).await;
    api.put(&format!("/{bottom}/members/acc-1"), Value::Null).await.ok();

    let (found, has_more) = paths(&api, &top, "").await;
    assert_eq!(
        (found, has_more),
        (
            vec![vec!["Bottom", "Left", "Top"], vec!["Bottom", "Right", "Top"]]
                .into_iter()
                .map(|path| path.into_iter().map(str::to_owned).collect())
                .collect(),
            false
        )
    );

    api.put(&format!("/{top}/members/acc-1"), Value::Null).await.ok();
    let (found, has_more) = paths(&api, &top, "?limit=1").await;
    assert_eq!((found, has_more), (vec![vec!["Top".to_owned()]], true));
}

#[tokio::test]
async fn each_step_names_who_did_it_and_when() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [top, bottom] = chain(&api, ["Top", "Bottom"]).await;
    let member = api.put(&format!("/{bottom}/members/acc-1"), Value::Null).await.ok();

    let body = api.get(&format!("/{top}/members/acc-1/paths")).await.ok();

    let steps = &body["paths"][0]["steps"];
    let nested_at = steps[1]["nested_at"].clone();
    assert!(nested_at.as_str().unwrap() <= member["added_date"].as_str().unwrap());
    let expected = json!([
        { "group_id": bottom, "group_name": "Bottom", "added_at": member["added_date"], "added_by": "alice" },
        { "group_id": top, "group_name": "Top", "nested_at": nested_at, "nested_by": "alice" },
    ]);
    assert_eq!(*steps, expected);
}

#[tokio::test]
async fn addition_is_that_of_the_group_itself_not_of_the_inherited_membership() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [top, bottom] = chain(&api, ["Top", "Bottom"]).await;
    api.put(&format!("/{bottom}/members/acc-1"), Value::Null).await.ok();
    // Inherited before, now also added by another system; then the inherited membership ends.
    assert!(api.hand(&[request_event("add", &top, "acc-1", "2026-01-02T00:00:00Z")]).await.is_empty());
    api.delete(&format!("/{bottom}/members/acc-1")).await;

    let body = api.get(&format!("/{top}/members/acc-1/paths")).await.ok();

    let step = &body["paths"][0]["steps"][0];
    assert_eq!(body["paths"].as_array().unwrap().len(), 1);
    assert_ne!(step["added_by"], "alice", "{step}");
    assert!(step["added_at"].as_str().unwrap() > T2);
}

#[tokio::test]
async fn path_that_ended_is_not_shown() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [top, left, bottom] = chain(&api, ["Top", "Left", "Bottom"]).await;
    api.nest(&top, &bottom).await;
    api.put(&format!("/{bottom}/members/acc-1"), Value::Null).await.ok();
    assert_eq!(paths(&api, &top, "").await.0.len(), 2);
    assert_eq!(api.delete(&format!("/{left}/groups/{bottom}")).await.status, 204);
    let left_over = vec![vec!["Bottom".to_owned(), "Top".to_owned()]];
    assert_eq!(paths(&api, &top, "").await, (left_over, false));
}

/// A ladder of groups, each nested in all above: 2 to the power of 10 ways.
#[tokio::test]
async fn dense_graph_has_its_hundred_shortest_paths() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let names: Vec<String> = (0..12).map(|number| format!("G{number:02}")).collect();
    let mut ids: Vec<String> = Vec::new();
    for name in &names {
        let id = api.group(name).await;
        for above in &ids {
            api.nest(above, &id).await;
        }
        ids.push(id);
    }
    api.put(&format!("/{}/members/acc-1", ids[11]), Value::Null).await.ok();
    api.recorder.take();
    let (found, has_more) = paths(&api, &ids[0], "").await;
    let lengths: Vec<usize> = found.iter().map(Vec::len).collect();
    // One of two groups, ten of three, 45 of four, and 44 of the 120 of five.
    let counted = |length| lengths.iter().filter(|it| **it == length).count();
    assert_eq!(([2, 3, 4, 5].map(counted), lengths.len(), has_more), ([1, 10, 45, 44], 100, true));
    assert!(lengths.is_sorted());
    assert!(api.recorder.take().len() <= 5, "one request for each level, as far as paths are needed");
}

/// Random graphs, against all ways through them.
#[tokio::test]
async fn paths_are_those_of_a_naive_search() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let mut random = Rng::with_seed(17);
    let mut most = 0;
    for round in 0..6 {
        let ids = groups(&api, ["0", "1", "2", "3", "4", "5", "6"]).await;
        let mut parents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for child in 1..ids.len() {
            for parent in 0..child {
                if random.f64() < 0.6 {
                    api.nest(&ids[parent], &ids[child]).await;
                    parents.entry(child).or_default().push(parent);
                }
            }
        }
        let direct: Vec<usize> = (0..ids.len()).filter(|_| random.f64() < 0.5).collect();
        for group in &direct {
            api.put(&format!("/{}/members/acc-1", ids[*group]), Value::Null).await.ok();
        }
        let mut expected: Vec<Vec<String>> = Vec::new();
        let mut open: Vec<Vec<usize>> = direct.iter().map(|group| vec![*group]).collect();
        while let Some(way) = open.pop() {
            let last = *way.last().unwrap();
            if last == 0 {
                expected.push(way.iter().map(usize::to_string).collect());
            }
            let above = parents.get(&last).into_iter().flatten();
            open.extend(above.map(|parent| [way.as_slice(), &[*parent]].concat()));
        }
        expected.sort();
        most = most.max(expected.len());
        if expected.is_empty() {
            continue;
        }
        let (mut found, has_more) = paths(&api, &ids[0], "").await;
        assert!(found.iter().map(Vec::len).is_sorted() && !has_more, "round {round}");
        found.sort();
        assert_eq!(found, expected, "round {round}");
    }
    assert!(most > 10, "{most} paths at most");
}

#[tokio::test]
async fn invalid_parameters_and_missing_members_are_refused() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [team] = groups(&api, ["Team"]).await;
    for (query, field) in [("limit=0", "limit"), ("limit=101", "limit"), ("after=x", "after")] {
        let answer = api.get(&format!("/{team}/members/acc-1/paths?{query}")).await;
        assert_eq!(answer.field_errors()[0].0, field);
    }
    for account in ["acc-1", "acc-9", "a%20b"] {
        let answer = api.get(&format!("/{team}/members/{account}/paths")).await;
        assert_eq!(answer.not_found(), "the account is not a member of the group");
    }
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.get(&format!("/{id}/members/acc-1/paths")).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}
