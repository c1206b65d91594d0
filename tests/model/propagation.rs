//! The protocol that propagates a change of membership.
//!
//! The model has one account, since accounts do not affect each other, and three groups. Callers add and remove the
//! account, nest and unnest groups, and delete groups and the account. Records of the stream and jobs are processed in any
//! order, at any time, some of them twice. A transaction is decided at once, but its items become visible one by one.
//! Until then a plain read returns the old item, and other transactions and transactional reads of it are refused and
//! retried. The count is the sum of all shards; it changes with the decision, and is compared with the decided row.
//!
//! A change of a caller reads plainly, level by level, each level at another time. Its transaction writes the rows of all
//! groups, on condition that each is as it was read, and of nothing else: neither the groups, nor the account, nor the edges.
//!
//! At rest no work is left and every item is visible. Then the members' rows must match the edges. Each test with a
//! defect leaves one part out of the protocol and must find a history that breaks a property. So each part is needed.
//! The same configurations are explored completely without the defect.

mod model;
mod protocol;
mod state;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::items::Group::{A, B, C};
use model::{Defect, Operation, Propagation, Sight};
use state::{Life, Work};

use Operation::{Add, DeleteAccount, DeleteGroup, Nest, Remove, Unnest};

const CONTRADICTION: &str = "the check of an edge agrees with the child's row when it commits";
const COUNT: &str = "the count is exact";
const DELETED: &str = "a deleted account is no member";
const MIRROR: &str = "the mirror agrees with the row";
const MISSING: &str = "no member is missing";
const OUTLIVED: &str = "no row outlives its group";
const PHANTOM: &str = "no member is a phantom";
const STUCK: &str = "remaining work can be done";
const VIA: &str = "via names the edges that the account is inherited over";

const DIRECT_AND_INHERITED: Sight = ("a member both direct and inherited", |model, state| {
    let row = state.rows[B].visible;
    model.at_rest(state) && row.direct && row.via != 0
});
const DELETED_WITH_MEMBER: Sight = ("a group is deleted while it has a member", |_, state| {
    state.groups[B] == Life::Deleting && state.rows[B].visible.exists()
});
const INHERITED_TWICE: Sight = ("a member inherited over two edges", |model, state| {
    model.at_rest(state) && state.rows[A].visible.via.count_ones() == 2
});
const MIDDLE_DELETED: Sight = ("a group between two others is deleted", |model, state| {
    let others = state.rows[C].visible.exists() && !state.rows[A].visible.exists();
    model.at_rest(state) && state.groups[B] == Life::Gone && others
});
const LATE_ROW: Sight = ("a row becomes visible in a deleted group", |_, state| {
    state.groups[B] == Life::Gone && state.rows[B].visible.exists()
});
const LATE_ADDITION: Sight = ("an addition of a deleted account becomes visible late", |_, state| {
    state.account_deleted && state.rows[C].decided.is_some_and(|row| row.direct)
});
const NESTED_AGAIN: Sight = ("a group is nested again before the sweep of its last edge", |_, state| {
    let waits_for_sweep = |old| state.work.iter().any(|work| matches!(work, Work::Sweep(edge) if edge.id == old));
    state.children[B][C].visible == Some(2) && waits_for_sweep(1)
});
const TWO_LEVELS: Sight = ("a member two levels up", |model, state| {
    model.at_rest(state) && state.rows[A].visible.via != 0 && !state.rows[B].visible.direct
});

/// The account is added and removed while its group is nested and unnested.
fn one_nesting() -> Propagation {
    let menu = vec![Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 4, sights: vec![NESTED_AGAIN], ..Propagation::default() }
}

/// As [`one_nesting`], with an initial member.
fn nesting_again() -> Propagation {
    Propagation { before: vec![Nest(B, C), Add(C)], ..one_nesting() }
}

/// As [`nesting_again`], with a delivery that comes twice.
fn delivered_twice() -> Propagation {
    Propagation { operations: 3, repeats: 1, ..nesting_again() }
}

/// The account is also a direct member of the parent.
fn direct_and_inherited() -> Propagation {
    let menu = vec![Add(B), Remove(B), Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 4, sights: vec![DIRECT_AND_INHERITED], ..Propagation::default() }
}

/// A group has a grandparent.
fn two_levels() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C)];
    let menu = vec![Add(C), Remove(C), Nest(B, C), Unnest(B, C), Nest(A, B), Unnest(A, B)];
    Propagation { before, menu, operations: 2, repeats: 1, sights: vec![TWO_LEVELS], ..Propagation::default() }
}

/// A group is nested in another both directly and through a third one.
fn diamond() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C), Nest(A, C)];
    let menu = vec![Add(C), Remove(C), Unnest(B, C), Unnest(A, C)];
    Propagation { before, menu, operations: 2, sights: vec![INHERITED_TWICE], ..Propagation::default() }
}

/// A group is deleted while it has a parent and a child.
fn group_deletion() -> Propagation {
    let before = vec![Nest(B, C), Add(C)];
    let menu = vec![DeleteGroup(B), Nest(A, B), Nest(B, C), Unnest(B, C), Add(B)];
    let sights = vec![DELETED_WITH_MEMBER, LATE_ROW];
    Propagation { before, menu, operations: 3, sights, ..Propagation::default() }
}

/// A group and its parent, which has a parent itself, are deleted at the same time.
fn two_group_deletions() -> Propagation {
    let before = vec![Nest(A, B), Nest(B, C), Add(C)];
    let menu = vec![DeleteGroup(B), DeleteGroup(C), Unnest(B, C), Nest(B, C), Add(B)];
    let sights = vec![DELETED_WITH_MEMBER, MIDDLE_DELETED];
    Propagation { before, menu, operations: 2, repeats: 1, sights, ..Propagation::default() }
}

/// The account is deleted while its memberships change.
fn account_deletion() -> Propagation {
    let menu = vec![DeleteAccount, Add(B), Add(C), Remove(C), Nest(B, C), Unnest(B, C)];
    Propagation { menu, operations: 3, sights: vec![LATE_ADDITION], ..Propagation::default() }
}

/// As [`account_deletion`], with an inherited membership before the direct one.
fn indirect_account_deletion() -> Propagation {
    let menu = vec![DeleteAccount, Add(B), Remove(C), Unnest(B, C)];
    Propagation { before: vec![Nest(B, C), Add(C)], menu, operations: 3, ..Propagation::default() }
}

/// Asserts that all histories keep the properties, and that some show each of the model's sights.
fn assert_safe(model: Propagation) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
}

/// Asserts that some history with the defect breaks the property.
fn assert_breaks(model: Propagation, defect: Defect, property: &'static str) {
    let model = Propagation { defect: Some(defect), ..model };
    let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = model.checker().threads(2).finish_when(found).spawn_bfs().join();
    checker.assert_any_discovery(property);
}

#[test]
fn members_are_propagated_while_their_group_is_nested() {
    assert_safe(one_nesting());
    assert_safe(nesting_again());
    assert_safe(delivered_twice());
}

#[test]
fn direct_members_may_also_be_inherited() {
    assert_safe(direct_and_inherited());
}

#[test]
fn changes_are_propagated_over_two_levels() {
    assert_safe(two_levels());
}

#[test]
fn member_inherited_twice_stays_until_both_edges_are_gone() {
    assert_safe(diamond());
}

#[test]
fn deleted_group_leaves_no_rows() {
    assert_safe(group_deletion());
    assert_safe(two_group_deletions());
}

#[test]
fn deleted_account_leaves_every_group() {
    assert_safe(account_deletion());
    assert_safe(indirect_account_deletion());
}

#[test]
fn groups_beyond_a_transaction_are_reached_by_records() {
    assert_safe(Propagation { one_group_a_transaction: true, ..two_levels() });
    assert_safe(Propagation { one_group_a_transaction: true, ..diamond() });
    assert_safe(Propagation { one_group_a_transaction: true, ..group_deletion() });
}

#[test]
fn via_that_names_the_child_loses_members() {
    assert_breaks(one_nesting(), Defect::ViaNamesChild, MISSING);
}

#[test]
fn sweep_that_accepts_any_edge_leaves_phantoms() {
    assert_breaks(nesting_again(), Defect::SweepAcceptsAnyEdge, PHANTOM);
}

#[test]
fn gained_edge_without_recheck_leaves_phantoms() {
    assert_breaks(one_nesting(), Defect::GainNotRechecked, PHANTOM);
}

#[test]
fn edge_checked_with_plain_reads_leaves_phantoms() {
    assert_breaks(one_nesting(), Defect::EdgeCheckedWithPlainReads, PHANTOM);
}

#[test]
fn new_row_without_propagation_loses_members() {
    assert_breaks(one_nesting(), Defect::GainNotPropagated, MISSING);
}

#[test]
fn deleted_row_without_propagation_leaves_phantoms() {
    assert_breaks(one_nesting(), Defect::LossNotPropagated, PHANTOM);
}

#[test]
fn row_changed_without_condition_miscounts() {
    assert_breaks(direct_and_inherited(), Defect::RowWithoutCondition, COUNT);
}

#[test]
fn backfill_before_both_rows_of_its_edge_are_visible_is_unsafe() {
    assert_breaks(one_nesting(), Defect::BackfillWithoutEdgeRows, MISSING);
    assert_breaks(one_nesting(), Defect::BackfillWithoutNestRow, MISSING);
    assert_breaks(group_deletion(), Defect::BackfillWithoutChildRow, OUTLIVED);
}

#[test]
fn sweep_before_its_edge_is_visibly_gone_leaves_phantoms() {
    assert_breaks(one_nesting(), Defect::SweepWithoutEdgeRow, PHANTOM);
}

#[test]
fn backfill_that_keeps_edges_of_deleted_groups_leaves_rows() {
    assert_breaks(group_deletion(), Defect::BackfillKeepsEdgeOfDeletedGroup, OUTLIVED);
}

#[test]
fn late_row_without_purge_outlives_its_group() {
    assert_breaks(group_deletion(), Defect::LateRowNotPurged, OUTLIVED);
}

#[test]
fn account_marked_after_its_memberships_are_listed_stays_a_member() {
    assert_breaks(account_deletion(), Defect::AccountMarkedAfterListing, DELETED);
}

#[test]
fn direct_row_without_check_of_its_account_outlives_the_account() {
    assert_breaks(account_deletion(), Defect::AccountNotChecked, DELETED);
    assert_breaks(account_deletion(), Defect::AccountCheckedBeforeMirror, DELETED);
    assert_breaks(indirect_account_deletion(), Defect::AccountCheckedOnlyForNewRows, DELETED);
}

#[test]
fn edge_check_without_condition_on_the_childs_row_contradicts_it() {
    assert_breaks(one_nesting(), Defect::SourceWithoutCondition, PHANTOM);
    assert_breaks(one_nesting(), Defect::SourceWithoutCondition, MISSING);
    assert_breaks(one_nesting(), Defect::SourceWithoutCondition, CONTRADICTION);
}
