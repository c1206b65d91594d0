//! The protocol of memberships that start and end at a time.
//!
//! The member row has its end, the audit record its start. An end is also noted for the account, so that a reader of any group above
//! knows it. A due row, written with either, brings the sweep to the membership. The sweep decides by the rows of the membership,
//! and moves the due row on only while these are as it read them.
//!
//! The sweep may crash after each step, and requests come at any moment. Each test with a weaker condition must find an order in
//! which a membership ends or starts wrongly, is forgotten, or is still shown in a group above after its end.

mod protocol;

use stateright::{Checker, Model};

use self::protocol::{Expiry, FORGOTTEN, KEPT, NOT_STARTED, Request, Rule, SHOWN};

type Scenario = &'static [Request];

const MOVE: Scenario = &[Request::Add(Some(1)), Request::Add(Some(3))];
const CLEAR: Scenario = &[Request::Add(Some(2)), Request::Add(None)];
const REMOVE_AND_ADD: Scenario = &[Request::Add(Some(2)), Request::Remove, Request::Add(Some(3))];
const SCHEDULE: Scenario = &[Request::Schedule(2), Request::Remove];
const SCHEDULE_AND_ADD: Scenario = &[Request::Schedule(2), Request::Add(Some(3)), Request::Remove];
const SCHEDULE_AGAIN: Scenario = &[Request::Schedule(1), Request::Remove, Request::Schedule(1)];

const SCENARIOS: [Scenario; 6] = [MOVE, CLEAR, REMOVE_AND_ADD, SCHEDULE, SCHEDULE_AND_ADD, SCHEDULE_AGAIN];

fn model(requests: Scenario, without: Option<Rule>) -> Expiry {
    Expiry { requests: requests.to_vec(), without }
}

/// Asserts that without this rule the property is broken in some order.
fn assert_needed(rule: Rule, scenario: Scenario, property: &'static str) {
    model(scenario, Some(rule)).checker().threads(2).spawn_bfs().join().assert_any_discovery(property);
}

#[test]
fn memberships_start_and_end_at_their_times() {
    for scenario in SCENARIOS {
        model(scenario, None).checker().threads(2).spawn_bfs().join().assert_properties();
    }
}

#[test]
fn end_without_condition_on_the_member_row_ends_one_that_was_cleared() {
    assert_needed(Rule::EndAsRead, CLEAR, KEPT);
}

#[test]
fn start_without_condition_on_the_schedule_starts_one_that_was_cancelled() {
    assert_needed(Rule::ScheduleAsRead, SCHEDULE, NOT_STARTED);
}

#[test]
fn decision_that_keeps_a_schedule_is_undone_by_it() {
    assert_needed(Rule::DecisionEndsSchedule, SCHEDULE_AND_ADD, NOT_STARTED);
}

#[test]
fn due_row_written_after_the_membership_may_be_missing() {
    assert_needed(Rule::DueWithMembership, CLEAR, FORGOTTEN);
}

#[test]
fn due_row_deleted_without_condition_on_the_member_row_forgets_an_end() {
    assert_needed(Rule::MemberAsRead, REMOVE_AND_ADD, FORGOTTEN);
}

#[test]
fn due_row_deleted_without_condition_on_the_schedule_forgets_a_start() {
    assert_needed(Rule::StartAsRead, SCHEDULE_AGAIN, FORGOTTEN);
}

#[test]
fn end_that_is_not_noted_is_not_seen_above() {
    assert_needed(Rule::NoteWithEnd, CLEAR, SHOWN);
}

#[test]
fn note_removed_though_it_was_not_read_is_missing_above() {
    assert_needed(Rule::NoteAsRead, MOVE, SHOWN);
}

#[test]
fn note_removed_with_the_member_is_missing_above() {
    assert_needed(Rule::NoteUntilSettled, MOVE, SHOWN);
}
