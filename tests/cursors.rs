//! A cursor is valid only for the list that returned it, and only unaltered.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use sha2::{Digest, Sha256};

use crate::harness::{Answer, Api};

#[track_caller]
fn assert_refused(answer: Answer) {
    assert_eq!(answer.field_errors(), [("after".to_owned(), "is not a cursor of this list".to_owned())]);
}

/// Returns the cursor after the first page of this list.
async fn cursor_of(api: &Api, path: &str) -> String {
    let page = api.get(path).await.ok();
    page["pageInfo"]["endCursor"].as_str().expect("there is another page").to_owned()
}

/// Starts an API with two groups, each with three members; returns the ids of the groups.
async fn start_with_two_groups() -> (Api, String, String) {
    let api = Api::start().await;
    let (alpha, alphabet) = (api.group("Alpha").await, api.group("Alphabet").await);
    for group in [&alpha, &alphabet] {
        api.members(group, 0..3).await;
    }
    (api, alpha, alphabet)
}

#[tokio::test]
async fn cursor_altered_at_any_byte_is_refused() {
    let (api, alpha, _) = start_with_two_groups().await;
    for path in ["?limit=1".to_owned(), "?limit=1&search=alpha".into(), format!("/{alpha}/members?limit=1")] {
        let cursor = cursor_of(&api, &path).await;
        assert_eq!(api.get(&format!("{path}&after={cursor}")).await.status, StatusCode::OK);
        for at in 0..cursor.len() {
            for other in ["A", "_", "z", "%00", "="] {
                if cursor[at..=at] != *other {
                    let altered = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
                    assert_refused(api.get(&format!("{path}&after={altered}")).await);
                }
            }
            assert_refused(api.get(&format!("{path}&after={}", &cursor[..at])).await);
        }
        for longer in [format!("{cursor}A"), format!("{cursor}="), format!("{cursor}AAAA"), format!("%20{cursor}")] {
            assert_refused(api.get(&format!("{path}&after={longer}")).await);
        }
    }
}

#[tokio::test]
async fn cursor_of_another_list_is_refused() {
    let (api, alpha, alphabet) = start_with_two_groups().await;
    let lists = [
        "?".to_owned(),
        "?search=alpha".into(),
        "?search=alp".into(),
        "?member=acc-00000".into(),
        "?member=acc-00001".into(),
        format!("/{alpha}/members?"),
        format!("/{alpha}/members?membership_type=direct"),
        format!("/{alphabet}/members?"),
    ];
    for from in &lists {
        let cursor = cursor_of(&api, &format!("{from}&limit=1")).await;
        for to in &lists {
            let answer = api.get(&format!("{to}&after={cursor}")).await;
            if from == to {
                assert_eq!(answer.status, StatusCode::OK, "the limit may change between pages");
            } else {
                assert_refused(answer);
            }
        }
    }
}

#[tokio::test]
async fn cursor_of_a_search_is_valid_for_any_spelling_of_the_term() {
    let (api, ..) = start_with_two_groups().await;
    let cursor = cursor_of(&api, "?limit=1&search=alpha").await;
    let page = api.get(&format!("?limit=1&search=%20ALPHA&after={cursor}")).await.ok();
    assert_eq!(page["groups"][0]["name"], "Alphabet");
}

#[tokio::test]
async fn malformed_cursor_never_reaches_dynamodb() {
    let (api, alpha, _) = start_with_two_groups().await;
    api.recorder.take();
    for path in ["?", "?search=a&", "?member=acc-00000&", &format!("/{alpha}/members?")] {
        for cursor in ["", "x", "null", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%F0%9F%98%80"] {
            assert_refused(api.get(&format!("{path}after={cursor}")).await);
        }
    }
    assert!(api.recorder.take().is_empty());
}

/// Builds a valid cursor of a list for any position: the digest has no secret.
pub fn forged(list: &str, narrowed_by: &[&str], position: &[u8]) -> String {
    let mut digest = Sha256::new_with_prefix("groups-api cursor 1");
    for part in std::iter::once(&list).chain(narrowed_by) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.chain_update(position).finalize();
    URL_SAFE_NO_PAD.encode([&digest[..16], position].concat())
}

/// A forged position starts a page elsewhere in the same list. A position outside of a search is refused.
#[tokio::test]
async fn forged_cursor_does_not_leave_the_list() {
    let (api, ..) = start_with_two_groups().await;
    let id = [7; 16];
    let at = |list: &str, narrowed_by: &[&str], text: &str| forged(list, narrowed_by, &[&id, text.as_bytes()].concat());
    for (text, expected) in [("alpha", 200), ("alphabet", 200), ("alpha\u{10ffff}", 200)] {
        let answer = api.get(&format!("?search=alpha&after={}", at("search", &["alpha"], text))).await;
        assert_eq!(answer.status, expected, "{text}");
    }
    for text in ["", "a", "alph", "alpi", "\u{10ffff}"] {
        assert_refused(api.get(&format!("?search=alpha&after={}", at("search", &["alpha"], text))).await);
        assert_eq!(api.get(&format!("?after={}", at("groups", &[], text))).await.status, StatusCode::OK, "{text}");
    }
}
