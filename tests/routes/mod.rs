//! Every route: what it answers when all is well, every error it can give, and its bounds. Files are named as the
//! functions.

mod add_member;
mod change_members;
mod create_group;
mod delete_group;
mod get_group;
mod get_member;
mod list_groups;
mod list_members;
mod list_nested_groups;
mod nest_group;
mod remove_member;
mod unnest_group;
mod update_group;
