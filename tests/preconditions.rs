//! `If-Match` and `If-None-Match` on every route, also where another change comes between a request's reads and its commit.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::faults::{Fault, Faults};
use crate::harness::{Answer, Api, NO_GROUP};

/// A group with a member and a nested group, the parts that the routes are about.
struct Team {
    id: String,
    nested: String,
    other: String,
}

impl Team {
    async fn create(api: &Api) -> Self {
        api.accounts(&["acc-member", "acc-new", "acc-other"]).await;
        let [id, nested, other] = [api.group("Team").await, api.group("Nested").await, api.group("Other").await];
        api.put(&format!("/{id}/members/acc-member"), Value::Null).await.ok();
        api.nest(&id, &nested).await;
        Self { id, nested, other }
    }

    async fn etag(&self, api: &Api) -> String {
        api.get(&format!("/{}", self.id)).await.header("etag").unwrap().to_owned()
    }

    /// Every request that writes to the group's members or nested groups, or deletes it, each of which changes something.
    fn writes(&self) -> [(Method, String, Value); 6] {
        let (id, nested, other) = (&self.id, &self.nested, &self.other);
        [
            (Method::PUT, format!("/{id}/members/acc-new"), Value::Null),
            (Method::DELETE, format!("/{id}/members/acc-member"), Value::Null),
            (Method::PATCH, format!("/{id}/members"), json!({ "add": ["acc-new"], "remove": ["acc-member"] })),
            (Method::PUT, format!("/{id}/groups/{other}"), Value::Null),
            (Method::DELETE, format!("/{id}/groups/{nested}"), Value::Null),
            (Method::DELETE, format!("/{id}"), Value::Null),
        ]
    }
}

async fn send(api: &Api, (method, path, body): &(Method, String, Value), header: (&str, &str)) -> Answer {
    let request = api.request(method.clone(), path).header(header.0, header.1);
    Answer::to(if body.is_null() { request } else { request.json(body) }).await
}

const IF_MATCH: &str = "If-Match";
const IF_NONE_MATCH: &str = "If-None-Match";

#[tokio::test]
async fn etag_changes_with_the_groups_fields_its_members_and_its_nested_groups() {
    let api = Api::start().await;
    let team = Team::create(&api).await;
    let id = &team.id;
    let mut tags = vec![team.etag(&api).await];
    for (method, path, body) in [
        (Method::PUT, format!("/{id}"), json!({ "description": "d" })),
        (Method::PUT, format!("/{id}/members/acc-new"), Value::Null),
        (Method::DELETE, format!("/{id}/members/acc-new"), Value::Null),
        (Method::DELETE, format!("/{id}/groups/{}", team.nested), Value::Null),
        (Method::PUT, format!("/{id}/groups/{}", team.nested), Value::Null),
    ] {
        let request = api.request(method, &path);
        Answer::to(if body.is_null() { request } else { request.json(&body) }).await;
        tags.push(team.etag(&api).await);
    }
    assert_eq!(tags, ["\"1-2\"", "\"2-2\"", "\"2-3\"", "\"2-4\"", "\"2-5\"", "\"2-6\""]);
    assert_eq!(team.etag(&api).await, *tags.last().unwrap(), "reading changes nothing");
}

#[tokio::test]
async fn known_state_of_a_group_is_304() {
    let api = Api::start().await;
    let team = Team::create(&api).await;
    let get = |header, value| {
        let (api, request) = (&api, (Method::GET, format!("/{}", team.id), Value::Null));
        async move { send(api, &request, (header, value)).await }
    };
    let known = team.etag(&api).await;
    for value in [known.as_str(), "*", "\"x\", W/\"1-2\",", "W/\"1-2\""] {
        let answer = get(IF_NONE_MATCH, value).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{value}");
        assert_eq!(answer.header("etag"), Some(known.as_str()));
    }
    assert_eq!(get(IF_NONE_MATCH, "\"1-1\"").await.status, 200);
    assert_eq!(get(IF_NONE_MATCH, "nonsense").await.field_errors()[0].0, IF_NONE_MATCH);
    assert_eq!(get(IF_MATCH, &known).await.status, 200);
    get(IF_MATCH, "\"1-1\"").await.refused(412, "PRECONDITION_FAILED");
    get(IF_MATCH, "W/\"1-2\"").await.refused(412, "PRECONDITION_FAILED");

    api.put(&format!("/{}/members/acc-new", team.id), Value::Null).await.ok();

    assert_eq!(get(IF_NONE_MATCH, &known).await.status, 200, "somebody joined");
}

#[tokio::test]
async fn malformed_condition_of_a_reading_request_never_reaches_dynamodb() {
    let api = Api::start().await;
    let missing = (Method::GET, format!("/{NO_GROUP}"), Value::Null);
    api.recorder.take();
    for header in [IF_MATCH, IF_NONE_MATCH] {
        assert_eq!(send(&api, &missing, (header, "1")).await.field_errors()[0].0, header);
    }
    assert_eq!(api.recorder.take().len(), 0);
}

#[tokio::test]
async fn write_in_the_state_named_by_if_match_succeeds() {
    for number in 0..6 {
        let api = Api::start().await;
        let team = Team::create(&api).await;
        let write = &team.writes()[number];
        let answer = send(&api, write, (IF_MATCH, &format!("\"9-9\", {}", team.etag(&api).await))).await;
        assert!(answer.status.is_success(), "{write:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn write_in_another_state_than_if_match_names_changes_nothing() {
    let api = Api::start().await;
    let team = Team::create(&api).await;
    let now = team.etag(&api).await;
    assert_eq!(now, "\"1-2\"");
    for write in team.writes() {
        for other in ["\"1-1\"", "\"2-2\"", "W/\"1-2\"", "\"1\""] {
            send(&api, &write, (IF_MATCH, other)).await.refused(412, "PRECONDITION_FAILED");
        }
        assert_eq!(send(&api, &write, (IF_MATCH, "1-2")).await.field_errors()[0].0, IF_MATCH);
        assert_eq!(send(&api, &write, (IF_NONE_MATCH, "\"1-2\"")).await.field_errors()[0].0, IF_NONE_MATCH);
    }
    assert_eq!(team.etag(&api).await, now);
    assert_eq!(api.member_types(&team.id).await, [("acc-member".into(), "direct".into())]);
}

/// The other change is committed after the request has read everything, and before its transaction.
#[tokio::test]
async fn change_between_the_reads_and_the_commit_of_a_conditional_write_refuses_it() {
    for number in 0..6 {
        for change in ["member", "shard", "nested group", "fields"] {
            let faults = Faults::default();
            let api = &Api::start_faulty(&faults).await;
            let team = Team::create(api).await;
            let write = &team.writes()[number];
            let tag = team.etag(api).await;
            faults.next("TransactWriteItems", Fault::Holds);

            let conditional = send(api, write, (IF_MATCH, &tag));
            let other = async {
                faults.wait_for_held().await;
                match change {
                    // In the same count shard as the write, and in others.
                    "member" => drop(api.put(&format!("/{}/members/acc-other", team.id), Value::Null).await.ok()),
                    "shard" => {
                        api.members(&team.id, 0..40).await;
                    }
                    "nested group" => api.nest(&team.id, &api.group("Third").await).await,
                    _ => drop(api.put(&format!("/{}", team.id), json!({ "description": "d" })).await.ok()),
                }
                let committed = team.etag(api).await;
                faults.release();
                committed
            };
            let (answer, committed) = futures::future::join(conditional, other).await;

            answer.refused(412, "PRECONDITION_FAILED");
            assert_ne!(committed, tag, "the other change was made");
            assert_eq!(team.etag(api).await, committed, "{write:?} after a change of {change}");
        }
    }
}

/// Several transactions: the first is committed in the state named, the others follow it.
#[tokio::test]
async fn batch_larger_than_a_transaction_is_for_the_state_before_it() {
    let api = Api::start().await;
    let id = api.group("Team").await;
    api.numbered_accounts(0..200).await;
    let ids: Vec<String> = (0..200).map(crate::harness::numbered).collect();
    let batch = (Method::PATCH, format!("/{id}/members"), json!({ "add": ids }));

    let answer = send(&api, &batch, (IF_MATCH, "\"1-0\"")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(200));
    send(&api, &batch, (IF_MATCH, "\"1-0\"")).await.refused(412, "PRECONDITION_FAILED");
}

#[tokio::test]
async fn one_of_many_concurrent_batches_for_a_state_is_applied() {
    let api = &Api::start_with_long_timeout().await;
    let id = &api.group("Team").await;
    api.numbered_accounts(0..40).await;
    let batch = |number: usize| async move {
        let ids: Vec<String> = (number * 5..number * 5 + 5).map(crate::harness::numbered).collect();
        send(api, &(Method::PATCH, format!("/{id}/members"), json!({ "add": ids })), (IF_MATCH, "\"1-0\"")).await
    };

    let answers = futures::future::join_all((0..8).map(batch)).await;

    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(5));
}

#[tokio::test]
async fn request_for_something_new_is_refused_where_it_exists() {
    let api = Api::start().await;
    let team = Team::create(&api).await;
    let (id, nested) = (&team.id, &team.nested);
    api.put(&format!("/{nested}/members/acc-other"), Value::Null).await.ok();
    let now = team.etag(&api).await;
    for (method, path, body) in [
        (Method::PUT, format!("/{id}"), json!({ "name": "B" })),
        (Method::PUT, format!("/{id}"), json!({})),
        (Method::DELETE, format!("/{id}"), Value::Null),
        (Method::PUT, format!("/{id}/members/acc-member"), Value::Null),
        (Method::PUT, format!("/{id}/members/acc-other"), Value::Null),
        (Method::DELETE, format!("/{id}/members/acc-member"), Value::Null),
        (Method::PATCH, format!("/{id}/members"), json!({ "add": ["acc-new"] })),
        (Method::PUT, format!("/{id}/groups/{nested}"), Value::Null),
        (Method::DELETE, format!("/{id}/groups/{nested}"), Value::Null),
    ] {
        let request = (method, path, body);
        let message = send(&api, &request, (IF_NONE_MATCH, "*")).await.refused(412, "PRECONDITION_FAILED").to_owned();
        assert!(message.starts_with("it exists already"), "{request:?}: {message}");
    }
    assert_eq!(team.etag(&api).await, now);

    for path in [format!("/{id}/members/acc-new"), format!("/{id}/groups/{}", team.other)] {
        assert_eq!(send(&api, &(Method::PUT, path, Value::Null), (IF_NONE_MATCH, "*")).await.status, 200);
    }
    let unknown = (Method::PUT, format!("/{NO_GROUP}"), json!({ "name": "B" }));
    send(&api, &unknown, (IF_NONE_MATCH, "*")).await.not_found();
}

#[tokio::test]
async fn creation_has_no_state_to_match() {
    let api = Api::start().await;
    let create = (Method::POST, String::new(), json!({ "name": "Team" }));
    for tag in ["*", "\"1-0\""] {
        send(&api, &create, (IF_MATCH, tag)).await.refused(412, "PRECONDITION_FAILED");
    }
    assert!(api.all_items("", "groups").await.is_empty());
    assert_eq!(send(&api, &create, (IF_NONE_MATCH, "*")).await.status, 201);
}

/// A transaction has room for the checks of this many groups above the parent, beside those of its state.
#[tokio::test]
async fn conditional_nesting_below_too_many_groups_is_refused() {
    let api = Api::start_with_long_timeout().await;
    let names: Vec<String> = (0..90).map(|level| format!("Level {level:02}")).collect();
    let levels = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let child = api.group("Child").await;
    let etag = api.get(&format!("/{}", levels[89])).await.header("etag").unwrap().to_owned();
    let nest = (Method::PUT, format!("/{}/groups/{child}", levels[89]), Value::Null);

    send(&api, &nest, (IF_MATCH, &etag)).await.refused(409, "CONFLICT");

    assert_eq!(send(&api, &nest, (IF_MATCH, "*")).await.status, 200);
}
