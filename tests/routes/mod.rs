//! One file per route, named after its function: success, every error it can return, and its bounds.

use crate::harness::Api;

mod add_manager;
mod add_member;
mod change_members;
mod check_memberships;
mod create_group;
mod delete_group;
mod get_account;
mod get_group;
mod get_manager;
mod get_member;
mod list_account_groups;
mod list_account_history;
mod list_accounts;
mod list_group_history;
mod list_groups;
mod list_managers;
mod list_members;
mod list_membership_paths;
mod list_nested_groups;
mod list_parents;
mod nest_group;
mod reject_request;
mod remove_manager;
mod remove_member;
mod unnest_group;
mod update_group;

/// Creates groups with these names; returns their ids.
async fn groups<const N: usize>(api: &Api, names: [&str; N]) -> [String; N] {
    let mut ids = Vec::new();
    for name in names {
        ids.push(api.group(name).await);
    }
    ids.try_into().unwrap()
}

/// Creates groups with these names, each nested in the one before it; returns their ids.
async fn chain<const N: usize>(api: &Api, names: [&str; N]) -> [String; N] {
    api.chain(&names).await.try_into().unwrap()
}
