//! How a change of membership climbs: every order in which it can happen, by a model checker.
//!
//! One account, since accounts do not touch each other, and three groups. Callers add and remove, nest and unnest,
//! delete groups and the account; what follows from it (records of the stream, jobs) is done in any order, at any
//! time, some of it twice. A transaction is decided at once, but its items come to be seen one by one: until then a
//! plain read finds the old item, and other transactions and transactional reads of it are refused and come again.
//! Items that a transaction only checks are free again with its decision, which is the earliest possible. The count
//! moves with the decision, and is compared with the row that is decided.
//!
//! At rest, when nothing is left to do or to be seen, the flattened rows have to be what the nesting says. Each test
//! that leaves one thing out of the protocol has to find a history in which they are not: that is why it is there.
//! The same configurations without that defect are checked to the end.

mod model;
mod protocol;
mod state;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::items::Group::{A, B, C};
use model::{Defect, Operation, Propagation, Sight};
use state::{Life, Work};

use Operation::{Add, DeleteAccount, DeleteGroup, Nest, Remove, Unnest};

const COUNT: &str = "the count is exact";
const DELETED: &str = "a deleted account is no member";
const MIRROR: &str = "the mirror agrees with the row";
const MISSING: &str = "no member is missing";
const OUTLIVED: &str = "nothing outlives a group";
const PHANTOM: &str = "no member is a phantom";
const STUCK: &str = "what is left to do can be done";
const VIA: &str = "via names the edges that bring the account";

const BOTH_WAYS: Sight = ("a member directly and by nesting", |model, state| {
    let row = state.rows[B].visible;
    model.at_rest(state) && row.direct && row.via != 0
});
const DELETED_WITH_MEMBER: Sight = ("a group is deleted while it has a member", |_, state| {
    state.groups[B] == Life::Deleting && state.rows[B].visible.exists()
});
const DIAMOND: Sight =
    ("a member by two ways", |model, state| model.at_rest(state) && state.rows[A].visible.via.count_ones() == 2);
const GONE: Sight = ("a group is gone from between two others", |model, state| {
    let others = state.rows[C].visible.exists() && !state.rows[A].visible.exists();
    model.at_rest(state) && state.groups[B] == Life::Gone && others
});
const LATE_ROW: Sight = ("a row appears in a group that is gone", |_, state| {
    state.groups[B] == Life::Gone && state.rows[B].visible.exists()
});
const LATE_ADDITION: Sight = ("a deleted account is still to become a member", |_, state| {
    state.account_deleted && state.rows[C].decided.is_some_and(|row| row.direct)
});
const NESTED_AGAIN: Sight = ("an edge comes again before the sweep of the last", |_, state| {
    let is_swept = |old| state.work.iter().any(|work| matches!(work, Work::Sweep(edge) if edge.id == old));
    state.children[B][C].visible == Some(2) && is_swept(1)
});
const TWO_LEVELS: Sight = ("a member two levels up", |model, state| {
    model.at_rest(state) && state.rows[A].visible.via != 0 && !state.rows[B].visible.direct
});

/// Members come and go while their group is nested and taken out again.
fn one_nesting() -> Propagation {
    let menu = vec![Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 4, repeats: 1, sights: vec![NESTED_AGAIN], ..Propagation::default() }
}

/// The same, when the member is already there.
fn nesting_again() -> Propagation {
    Propagation { before: vec![Nest(B, C), Add(C)], ..one_nesting() }
}

/// The parent has the same member directly.
fn both_ways() -> Propagation {
    let menu = vec![Add(B), Remove(B), Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 4, sights: vec![BOTH_WAYS], ..Propagation::default() }
}

fn two_levels() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C)];
    let menu = vec![Add(C), Remove(C), Nest(B, C), Unnest(B, C), Nest(A, B), Unnest(A, B)];
    Propagation { before, menu, operations: 3, repeats: 1, sights: vec![TWO_LEVELS], ..Propagation::default() }
}

/// A group is nested in another directly and through a third one.
fn diamond() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C), Nest(A, C)];
    let menu = vec![Add(C), Remove(C), Unnest(B, C), Unnest(A, C)];
    Propagation { before, menu, operations: 3, sights: vec![DIAMOND], ..Propagation::default() }
}

/// A group goes while it is nested, and others in it.
fn deletion() -> Propagation {
    let before = vec![Nest(B, C), Add(C)];
    let menu = vec![DeleteGroup(B), Nest(A, B), Nest(B, C), Unnest(B, C), Add(B)];
    let sights = vec![DELETED_WITH_MEMBER, LATE_ROW];
    Propagation { before, menu, operations: 3, repeats: 1, sights, ..Propagation::default() }
}

/// A child and its parent go at the same time, with a group above them.
fn two_deletions() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C), Add(C)];
    let menu = vec![DeleteGroup(B), DeleteGroup(C), Unnest(B, C), Nest(B, C), Add(B)];
    let sights = vec![DELETED_WITH_MEMBER, GONE];
    Propagation { before, menu, operations: 3, sights, ..Propagation::default() }
}

fn account_deletion() -> Propagation {
    let menu = vec![DeleteAccount, Add(B), Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 3, repeats: 1, sights: vec![LATE_ADDITION], ..Propagation::default() }
}

/// The account is already an indirect member when it is added.
fn indirect_account_deletion() -> Propagation {
    let menu = vec![DeleteAccount, Add(B), Remove(C), Unnest(B, C)];
    Propagation { before: vec![Nest(B, C), Add(C)], menu, operations: 3, repeats: 1, ..Propagation::default() }
}

/// All histories keep the invariants, and the interesting ones are among them.
fn holds(model: Propagation) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
}

/// Some history with the defect breaks the property.
fn breaks(model: Propagation, defect: Defect, property: &'static str) {
    let model = Propagation { defect: Some(defect), ..model };
    let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = model.checker().threads(2).finish_when(found).spawn_bfs().join();
    checker.assert_any_discovery(property);
}

#[test]
fn members_come_and_go_while_their_group_is_nested() {
    holds(one_nesting());
    holds(nesting_again());
}

#[test]
fn members_may_be_direct_as_well() {
    holds(both_ways());
}

#[test]
fn changes_climb_two_levels() {
    holds(two_levels());
}

#[test]
fn one_of_two_ways_is_enough() {
    holds(diamond());
}

#[test]
fn groups_go_with_all_that_is_theirs() {
    holds(deletion());
    holds(two_deletions());
}

#[test]
fn accounts_leave_every_group_when_they_go() {
    holds(account_deletion());
    holds(indirect_account_deletion());
}

#[test]
fn via_has_to_name_the_edge_and_not_the_child() {
    breaks(one_nesting(), Defect::ViaByChild, MISSING);
}

#[test]
fn a_sweep_cannot_ask_whether_the_child_is_nested_at_all() {
    breaks(nesting_again(), Defect::SweepWhereNoEdge, PHANTOM);
}

#[test]
fn parents_cannot_be_found_in_an_index() {
    breaks(one_nesting(), Defect::ParentsFromIndex, MISSING);
}

#[test]
fn a_row_that_gained_an_edge_asks_whether_it_is_still_there() {
    breaks(one_nesting(), Defect::NoRecheck, PHANTOM);
}

#[test]
fn nothing_to_do_cannot_be_concluded_from_a_plain_read() {
    breaks(one_nesting(), Defect::SettleReadsPlainly, PHANTOM);
    breaks(deletion(), Defect::SettleReadsPlainly, MISSING);
}

#[test]
fn a_gain_needs_the_childs_row() {
    breaks(one_nesting(), Defect::GainWithoutMember, PHANTOM);
}

#[test]
fn a_loss_needs_the_absence_of_the_childs_row() {
    breaks(one_nesting(), Defect::LossDespiteMember, MISSING);
}

#[test]
fn a_count_moves_only_under_the_condition_of_what_was_read() {
    breaks(both_ways(), Defect::CountsAsRead, COUNT);
}

#[test]
fn a_backfill_waits_until_its_edge_is_seen_on_both_sides() {
    breaks(one_nesting(), Defect::BackfillWithoutBarrier, MISSING);
    breaks(one_nesting(), Defect::BackfillReadsOnlyChild, MISSING);
    breaks(deletion(), Defect::BackfillReadsOnlyNest, OUTLIVED);
}

#[test]
fn a_sweep_waits_until_its_edge_is_seen_to_be_gone() {
    breaks(one_nesting(), Defect::SweepWithoutBarrier, PHANTOM);
}

#[test]
fn a_backfill_takes_out_what_a_deletion_did_not_see() {
    breaks(deletion(), Defect::InactiveEdgeStays, OUTLIVED);
}

#[test]
fn a_row_that_appears_in_a_deleted_group_is_purged() {
    breaks(deletion(), Defect::NoPurgeByRecord, OUTLIVED);
}

#[test]
fn an_account_is_marked_before_its_memberships_are_removed() {
    breaks(account_deletion(), Defect::AccountMarkedLate, DELETED);
}

#[test]
fn a_row_that_becomes_direct_asks_for_its_account_once_its_mirror_is_seen() {
    breaks(account_deletion(), Defect::RowUnwatched, DELETED);
    breaks(account_deletion(), Defect::MirrorNotAwaited, DELETED);
    breaks(indirect_account_deletion(), Defect::OnlyNewRowsWatched, DELETED);
}
