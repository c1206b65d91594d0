//! The protocol that keeps callers without the privileged role from changing who is in a privileged group.
//!
//! A group is *guarded* when it is privileged or has a mark. Before a group becomes privileged, or is nested in a guarded one, it and
//! its descendants get marks, each before its children are read. The commit then requires that the first mark is unchanged.
//! A mark is in the group's row and in its count shards, which every change of members writes, so that no row is shared
//! by more writers than before. A caller without the role who meets a mark that is left over removes it.
//!
//! At every moment, the groups that a caller without the role changes must not lead to a privileged group. Each test with a weaker
//! condition must find a change that does.
//!
//! Rows become visible one by one after their transaction is decided; the reply arrives when all are.

mod protocol;

use stateright::{Checker, Model};

use self::protocol::{GUARDED, Guard, PAIRED, Request, Rule};
use crate::model::items::Group;
use crate::model::items::Group::{A, B, C};

/// Initial edges, groups with a mark, and requests in which each rule is needed.
type Scenario = (&'static [(Group, Group)], &'static [Group], &'static [Request]);

const FLAG: Scenario = (&[(A, B)], &[], &[Request::Flag(A), Request::ChangeMembers(B)]);
const FLAG_AND_NEST: Scenario = (&[(A, B)], &[], &[Request::Flag(A), Request::Nest(B, C), Request::ChangeMembers(C)]);
const FLAG_AND_REPLACE_CHILD: Scenario = (
    &[(A, B)],
    &[],
    &[Request::Flag(A), Request::NestWithRole(A, C), Request::Unnest(A, B), Request::ChangeMembers(C)],
);
const FLAG_AND_REMOVE_MARK: Scenario =
    (&[(A, B)], &[], &[Request::Flag(A), Request::RemoveMark(A), Request::RemoveMark(B), Request::ChangeMembers(B)]);
const FLAG_MARKED: Scenario = (&[(A, B)], &[B], &[Request::Flag(A), Request::RemoveMark(B), Request::ChangeMembers(B)]);
const FLAG_TWO_WAYS: Scenario = (
    &[(A, B), (A, C), (B, C)],
    &[],
    &[Request::Flag(A), Request::Unnest(A, C), Request::RemoveMark(C), Request::ChangeMembers(C)],
);
const NEST_IN_PRIVILEGED: Scenario =
    (&[], &[], &[Request::Flag(A), Request::NestWithRole(A, B), Request::RemoveMark(B), Request::ChangeMembers(B)]);
const NEST_TWO_LEVELS: Scenario = (
    &[(B, C)],
    &[],
    &[
        Request::Flag(A),
        Request::NestWithRole(A, B),
        Request::RemoveMark(C),
        Request::RemoveMark(B),
        Request::ChangeMembers(C),
    ],
);
const UNFLAG: Scenario = (
    &[(A, B)],
    &[],
    &[Request::Flag(A), Request::Unflag(A), Request::RemoveMark(A), Request::RemoveMark(B), Request::ChangeMembers(B)],
);

const SCENARIOS: [Scenario; 9] = [
    FLAG,
    FLAG_AND_NEST,
    FLAG_AND_REPLACE_CHILD,
    FLAG_AND_REMOVE_MARK,
    FLAG_MARKED,
    FLAG_TWO_WAYS,
    NEST_IN_PRIVILEGED,
    NEST_TWO_LEVELS,
    UNFLAG,
];

fn model((before, marked, requests): Scenario, without: Option<Rule>) -> Guard {
    Guard { before: before.to_vec(), marked: marked.to_vec(), requests: requests.to_vec(), without }
}

/// Asserts that without this rule the property is broken in some order.
fn assert_needed(rule: Rule, scenario: Scenario, property: &'static str) {
    model(scenario, Some(rule)).checker().threads(2).spawn_bfs().join().assert_any_discovery(property);
}

#[test]
fn caller_without_the_role_changes_no_privileged_group() {
    for scenario in SCENARIOS {
        model(scenario, None).checker().threads(2).spawn_bfs().join().assert_properties();
    }
}

#[test]
fn change_without_condition_on_its_shard_reaches_a_privileged_group() {
    assert_needed(Rule::ShardHasNoMark, FLAG, GUARDED);
}

#[test]
fn nesting_without_condition_on_its_parent_reaches_a_privileged_group() {
    assert_needed(Rule::ParentIsUnguarded, FLAG_AND_NEST, GUARDED);
}

#[test]
fn nesting_without_condition_on_the_childs_mark_leaves_the_child_without() {
    assert_needed(Rule::ChildMarkUnchanged, NEST_IN_PRIVILEGED, GUARDED);
}

#[test]
fn flag_without_condition_on_the_mark_leaves_the_group_without() {
    assert_needed(Rule::OwnMarkUnchanged, FLAG_AND_REMOVE_MARK, GUARDED);
}

#[test]
fn shard_marked_without_condition_on_its_row_keeps_the_mark() {
    assert_needed(Rule::ShardWithItsRow, FLAG_AND_REMOVE_MARK, PAIRED);
}

#[test]
fn children_read_before_their_parent_is_marked_are_not_all() {
    assert_needed(Rule::MarkBeforeChildren, FLAG_AND_NEST, GUARDED);
}

#[test]
fn children_read_from_two_moments_are_not_all() {
    assert_needed(Rule::ChildrenAreWhole, FLAG_AND_REPLACE_CHILD, GUARDED);
}

#[test]
fn group_reached_twice_and_marked_once_loses_its_mark() {
    assert_needed(Rule::MarkAgain, FLAG_TWO_WAYS, GUARDED);
}

#[test]
fn mark_removed_in_place_of_an_earlier_one_is_missing() {
    assert_needed(Rule::SameMark, FLAG_MARKED, GUARDED);
}

#[test]
fn mark_removed_beside_a_new_parent_is_missing() {
    assert_needed(Rule::SameParents, NEST_IN_PRIVILEGED, GUARDED);
}

#[test]
fn mark_removed_below_one_that_stays_is_missing() {
    assert_needed(Rule::ParentsFirst, FLAG_AND_REMOVE_MARK, GUARDED);
}
