//! Cursors hold only for the list that gave them, and only as it gave them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use sha2::{Digest, Sha256};

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

/// A cursor of a list as the store would make it for any position: the digest has no secret in it.
pub fn forged(list: &str, narrowed_by: &[&str], position: &[u8]) -> String {
    let mut digest = Sha256::new_with_prefix("groups-api cursor 1");
    for part in std::iter::once(&list).chain(narrowed_by) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.chain_update(position).finalize();
    URL_SAFE_NO_PAD.encode([&digest[..16], position].concat())
}

/// A forged position only starts a walk elsewhere in a list: where that is outside of a search, it is refused.
#[tokio::test]
async fn a_forged_cursor_does_not_leave_the_list() {
    let (api, ..) = filled().await;
    let id = [7; 16];
    let at = |list: &str, narrowed_by: &[&str], text: &str| forged(list, narrowed_by, &[&id, text.as_bytes()].concat());
    for (text, expected) in [("alpha", 200), ("alphabet", 200), ("alpha\u{10ffff}", 200)] {
        let answer = api.get(&format!("?search=alpha&after={}", at("search", &["alpha"], text))).await;
        assert_eq!(answer.status, expected, "{text}");
    }
    for text in ["", "a", "alph", "alpi", "\u{10ffff}"] {
        is_refused(api.get(&format!("?search=alpha&after={}", at("search", &["alpha"], text))).await);
        assert_eq!(api.get(&format!("?after={}", at("groups", &[], text))).await.status, StatusCode::OK, "{text}");
    }
}
