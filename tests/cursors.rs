//! Cursors hold only for the list that gave them, and only as it gave them.

use reqwest::StatusCode;

use crate::harness::{Answer, Api};

fn is_refused(answer: Answer) {
    assert_eq!(answer.faults(), [("after".to_owned(), "is not a cursor of this list".to_owned())]);
}

async fn cursor_of(api: &Api, path: &str) -> String {
    let page = api.get(path).await.ok();
    page["pageInfo"]["endCursor"].as_str().expect("there is another page").to_owned()
}

/// Groups and members enough for a second page of every list; the first group's id.
async fn filled() -> (Api, String, String) {
    let api = Api::start().await;
    let (first, second) = (api.group("Alpha").await, api.group("Alphabet").await);
    for id in [&first, &second] {
        api.members(id, 0..3).await;
    }
    (api, first, second)
}

#[tokio::test]
async fn a_cursor_altered_at_any_byte_is_refused() {
    let (api, first, _) = filled().await;
    for path in ["?limit=1".to_owned(), "?limit=1&search=alpha".into(), format!("/{first}/members?limit=1")] {
        let cursor = cursor_of(&api, &path).await;
        assert_eq!(api.get(&format!("{path}&after={cursor}")).await.status, StatusCode::OK);
        for at in 0..cursor.len() {
            for other in ["A", "_", "z", "%00", "="] {
                if cursor[at..=at] != *other {
                    let altered = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
                    is_refused(api.get(&format!("{path}&after={altered}")).await);
                }
            }
            is_refused(api.get(&format!("{path}&after={}", &cursor[..at])).await);
        }
        for longer in [format!("{cursor}A"), format!("{cursor}="), format!("{cursor}AAAA"), format!("%20{cursor}")] {
            is_refused(api.get(&format!("{path}&after={longer}")).await);
        }
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list() {
    let (api, first, second) = filled().await;
    let lists = [
        "?".to_owned(),
        "?search=alpha".into(),
        "?search=alp".into(),
        "?member=acc-00000".into(),
        "?member=acc-00001".into(),
        format!("/{first}/members?"),
        format!("/{first}/members?membership_type=direct"),
        format!("/{second}/members?"),
    ];
    for from in &lists {
        let cursor = cursor_of(&api, &format!("{from}&limit=1")).await;
        for to in &lists {
            let answer = api.get(&format!("{to}&after={cursor}")).await;
            if from == to {
                assert_eq!(answer.status, StatusCode::OK, "the size of a page may change on the way");
            } else {
                is_refused(answer);
            }
        }
    }
}

#[tokio::test]
async fn a_search_is_the_same_however_its_term_is_spelled() {
    let (api, ..) = filled().await;
    let cursor = cursor_of(&api, "?limit=1&search=alpha").await;
    let page = api.get(&format!("?limit=1&search=%20ALPHA&after={cursor}")).await.ok();
    assert_eq!(page["groups"][0]["name"], "Alphabet");
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_before_anything_is_looked_up() {
    let (api, first, _) = filled().await;
    api.recorder.take();
    for path in ["?", "?search=a&", "?member=acc-00000&", &format!("/{first}/members?")] {
        for cursor in ["", "x", "null", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%F0%9F%98%80"] {
            is_refused(api.get(&format!("{path}after={cursor}")).await);
        }
    }
    assert!(api.recorder.take().is_empty());
}
