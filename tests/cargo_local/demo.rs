//! The data that a new table begins with.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use groups_local::demo::Demo;
use serde_json::json;

use super::{ENGINEERING_TEAM, Server};
use crate::harness::percent_encoded;

#[tokio::test(flavor = "multi_thread")]
async fn demo_data_contain_the_contracts_example() {
    let server = Server::start(&[]);
    let group = server.get(&format!("/{ENGINEERING_TEAM}")).await;
    assert_eq!((&group["name"], &group["member_count"]), (&json!("Engineering Team"), &json!(45)));
    assert_eq!(group["created_at"], json!("2024-01-15T10:30:00Z"));
    let members = server.get(&format!("/{ENGINEERING_TEAM}/members")).await;
    assert_eq!((members["members"].as_array().unwrap().len(), &members["count"]), (45, &json!(45)));
    assert_eq!(members["pageInfo"], json!({ "hasNextPage": false, "endCursor": null }));
    let member = server.get(&format!("/{ENGINEERING_TEAM}/members/acc-123")).await;
    assert_eq!((&member["name"], &member["email"]), (&json!("john.doe"), &json!("john.doe@company.com")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_substring_of_a_demo_name_finds_its_group() {
    let server = Server::start(&[]);
    let groups = server.get("").await["groups"].as_array().unwrap().clone();
    assert_eq!(groups.len(), 9);
    let searches = groups.iter().flat_map(|group| {
        let name: Vec<char> = group["name"].as_str().unwrap().chars().collect();
        let spans = (0..name.len()).flat_map(move |from| (from..name.len()).map(move |to| (from, to)));
        let name: Vec<char> = group["name"].as_str().unwrap().chars().collect();
        spans.map(move |(from, to)| (group, name[from..=to].iter().collect::<String>()))
    });
    let server = &server;
    stream::iter(searches.filter(|(_, term)| !term.trim().is_empty()))
        .for_each_concurrent(16, |(group, term)| async move {
            let found = server.get(&format!("?search={}", percent_encoded(term.trim()))).await;
            assert!(found["groups"].as_array().unwrap().contains(group), "{term} finds {}", group["name"]);
        })
        .await;
}

#[test]
fn large_data_are_five_thousand_people_in_five_hundred_groups() {
    let (groups, accounts) = (Demo::Large.groups(), Demo::Large.accounts());
    let group_names: BTreeSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let addresses: BTreeSet<&str> = accounts.iter().map(|account| account.email.as_str()).collect();
    let members: BTreeSet<u16> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    assert_eq!((group_names.len(), addresses.len(), members.len()), (500, 5_000, 5_000));
}

#[test]
fn large_data_have_six_levels() {
    let groups = Demo::Large.groups();
    let mut levels = vec![1; groups.len()];
    for (index, group) in groups.iter().enumerate() {
        for child in &group.nested {
            assert!(*child > index, "a nested group follows its parents");
            levels[*child] = levels[*child].max(levels[index] + 1);
        }
    }
    assert_eq!(levels.iter().max(), Some(&6));
    assert_eq!(levels.iter().filter(|level| **level == 6).count(), 225);
}
