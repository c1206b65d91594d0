//! Commits planned changes of member rows: as many together as fit one transaction, with the count shards they change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use futures::stream::{self, StreamExt};

use super::audit::{ChangeContext, require_unchanged, write_audit_record};
use super::plan::{MemberKey, MemberPlan, PlannedRow};
use crate::domain::{AccountId, Actor, Error, GroupId, Member, Timestamp};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::groups::guard::unless_guarded;
use crate::store::keys::{Attribute, COUNT_SHARDS, Key, spread};
use crate::store::rows::{MemberItem, MirrorItem, set_copies, to_row};
use crate::store::table::{Commit, MAX_ACTIONS, Update, Write};

/// Conditions on the state of a group: on its row, and on its shards.
const STATE_CONDITIONS: usize = 1 + COUNT_SHARDS;

/// Lanes of transactions that are committed side by side.
const LANES_SIDE_BY_SIDE: usize = 16;

/// How far a plan was committed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Accounts of which nothing is committed: a condition failed, or an error came first.
    pub(super) not_committed: BTreeSet<AccountId>,
    /// Accounts committed only in their lower groups. The stream completes the ancestors.
    pub(super) left_to_stream: BTreeSet<AccountId>,
    /// Why some accounts are not committed, as far as is known.
    pub(super) error: Option<Error>,
    /// Whether nothing is committed because the first transaction, which required the group's state, was not.
    pub(super) is_in_other_state: bool,
}

/// Changes of rows that are committed together.
#[derive(Default)]
struct Batch<'a> {
    rows: Vec<(&'a GroupId, &'a AccountId, &'a PlannedRow)>,
    places: BTreeSet<MemberKey>,
    /// Rows of children that must be as planned, each with whether it must exist.
    sources: BTreeMap<MemberKey, bool>,
    shards: BTreeMap<(GroupId, usize), CountChange>,
    /// The state that a group must be in.
    state: Option<&'a GroupSnapshot>,
}

/// Members and direct members that changes add to a shard.
#[derive(Debug, Clone, Copy, Default)]
struct CountChange {
    members: i64,
    direct_members: i64,
}

impl<'a> Batch<'a> {
    fn add(&mut self, plan: &'a MemberPlan, group: &'a GroupId, account: &'a AccountId, row: &'a PlannedRow) {
        let place = (*group, account.clone());
        self.rows.push((group, account, row));
        // A transaction may name a key once, and the write of a row already has its condition.
        self.sources.remove(&place);
        self.places.insert(place);
        for (place, exists) in plan.sources(account, row) {
            if !self.places.contains(&place) {
                self.sources.insert(place, exists);
            }
        }
        let change = CountChange { members: row.members_added(), direct_members: row.direct_members_added() };
        // The shard has the guard's mark, also where an account that was deleted is added again.
        let is_new_direct = row.is_direct_decided && row.is_changed();
        if change.members != 0 || change.direct_members != 0 || is_new_direct {
            let shard = self.shards.entry((*group, shard_of(account))).or_default();
            shard.members += change.members;
            shard.direct_members += change.direct_members;
        }
    }

    fn append(&mut self, plan: &'a MemberPlan, other: Self) {
        other.rows.into_iter().for_each(|(group, account, row)| self.add(plan, group, account, row));
    }

    fn actions(&self) -> usize {
        let rows: usize = self.rows.iter().map(|(_, _, row)| action_count(row)).sum();
        rows + self.sources.len() + self.shards.len()
    }

    fn accounts(&self) -> BTreeSet<AccountId> {
        self.places.iter().map(|(_, account)| account.clone()).collect()
    }

    /// The writes. `direct` is the context of the changes of direct memberships.
    fn writes(&self, direct: &ChangeContext<'_>) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::with_capacity(self.actions());
        for (group, account, row) in &self.rows {
            if !row.is_changed() {
                writes.push(require_unchanged(group, account, row.before.as_deref()));
                continue;
            }
            writes.extend(row_writes(group, account, row)?);
            writes.extend(end_writes(group, account, row, direct.now));
            if !row.is_membership_changed() {
                continue;
            }
            let system = Actor::system();
            let derived = ChangeContext::derived(row.actor.as_ref().unwrap_or(&system), direct.now);
            let context = if row.is_direct_decided { direct } else { &derived };
            let (added_at, becomes_direct) = (row.added_at(), row.becomes_direct());
            writes.push(write_audit_record(group, account, &row.after, added_at, becomes_direct, context));
        }
        for ((group, account), exists) in &self.sources {
            let key = Key::member(group, account);
            writes.push(if *exists { Write::require_row(key) } else { Write::require_no_row(key) });
        }
        let decided = self.rows.iter().filter(|(_, _, row)| row.is_direct_decided && row.is_changed());
        let decided: BTreeSet<&GroupId> = decided.map(|(group, _, _)| *group).collect();
        let mut in_state = BTreeSet::new();
        for ((group, shard), change) in &self.shards {
            let may_be_guarded = direct.may_change_guarded || !decided.contains(group);
            let mut update = unless_guarded(add_to_count(group, *shard, *change), may_be_guarded);
            if let Some(state) = self.state.filter(|state| state.group.id == *group) {
                update = update.when(state.shard_unchanged(*shard));
                in_state.insert(*shard);
            }
            writes.push(update.into());
        }
        if let Some(state) = self.state {
            writes.push(Write::Check(Key::group(&state.group.id), state.group_unchanged()));
            writes.extend(state.require_shards(&in_state));
        }
        Ok(writes)
    }
}

/// Changes in the order of their commits. Lanes share no shard, so that they can be committed side by side.
type Lane<'a> = Vec<Batch<'a>>;

/// Packs changes into batches of at most `room` actions, account by account, from the lowest group up. Accounts of one shard
/// share a lane.
fn pack(plan: &MemberPlan, room: usize) -> Vec<Lane<'_>> {
    let mut by_shard: BTreeMap<usize, Lane<'_>> = BTreeMap::new();
    for (account, rows) in plan.changes() {
        let lane = by_shard.entry(shard_of(account)).or_default();
        for batch in cut(plan, account, &rows, room) {
            match lane.last_mut() {
                Some(last) if last.actions() + batch.actions() <= room => last.append(plan, batch),
                _ => lane.push(batch),
            }
        }
    }
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for mut lane in by_shard.into_values() {
        match lanes.last_mut().map(Vec::as_mut_slice) {
            Some([last]) if lane.len() == 1 && last.actions() + lane[0].actions() <= room => {
                last.append(plan, lane.remove(0));
            }
            _ => lanes.push(lane),
        }
    }
    lanes
}

/// Cuts the changes of an account into batches that fit a transaction. A later batch has conditions on rows of earlier ones.
/// Tries to fill the first batches, then the last ones; returns the cut with fewer batches, then actions.
fn cut<'a>(
    plan: &'a MemberPlan,
    account: &'a AccountId,
    rows: &[(&'a GroupId, &'a PlannedRow)],
    room: usize,
) -> Vec<Batch<'a>> {
    let batch = |range: Range<usize>| {
        let mut batch = Batch::default();
        rows[range].iter().for_each(|(group, row)| batch.add(plan, group, account, row));
        batch
    };
    let fits = |range: Range<usize>| batch(range).actions() <= room;
    let (mut from_below, mut start) = (Vec::new(), 0);
    while start < rows.len() {
        let end = (start + 2..=rows.len()).take_while(|end| fits(start..*end)).last().unwrap_or(start + 1);
        from_below.push(batch(start..end));
        start = end;
    }
    if from_below.len() < 2 {
        return from_below;
    }
    let (mut from_above, mut end) = (Vec::new(), rows.len());
    while end > 0 {
        let start = (0..end - 1).rev().take_while(|start| fits(*start..end)).last().unwrap_or(end - 1);
        from_above.insert(0, batch(start..end));
        end = start;
    }
    let cost = |batches: &[Batch<'_>]| (batches.len(), batches.iter().map(Batch::actions).sum::<usize>());
    if cost(&from_above) < cost(&from_below) { from_above } else { from_below }
}

/// The shard of an account's memberships in any group.
pub(in crate::store) fn shard_of(account: &AccountId) -> usize {
    spread(account.as_str(), COUNT_SHARDS)
}

/// Returns how many actions a row takes, with its mirror and audit record. One that does not change is a condition.
fn action_count(row: &PlannedRow) -> usize {
    if !row.is_changed() {
        return 1;
    }
    let has_mirror = row.members_added() != 0 || row.direct_members_added() != 0;
    let has_audit_record = row.is_membership_changed();
    1 + usize::from(has_audit_record) + usize::from(has_mirror) + 2 * usize::from(new_end(row).is_some())
}

/// The end of a direct membership, where that is a new one.
fn new_end(row: &PlannedRow) -> Option<Timestamp> {
    row.ends_at.filter(|_| row.is_end_changed())
}

/// Notes a new end of a direct membership, for readers of all groups above and for the sweep. The note of an earlier end stays until the
/// sweep removes it, so this change need not know it.
fn end_writes(group: &GroupId, account: &AccountId, row: &PlannedRow, now: Timestamp) -> Vec<Write> {
    let Some(end) = new_end(row) else { return Vec::new() };
    let note = Update::of(Key::ends(account)).set(*group, end);
    vec![note.into(), look_from(now, group, account)]
}

/// Makes the sweep look at a membership from this time on.
pub(in crate::store) fn look_from(at: Timestamp, group: &GroupId, account: &AccountId) -> Write {
    Write::put(Key::due(at, group, account).to_attributes())
}

fn row_writes(group: &GroupId, account: &AccountId, row: &PlannedRow) -> Result<Vec<Write>, Error> {
    let (key, mirror) = (Key::member(group, account), Key::mirror(account, group));
    let PlannedRow { before, after, copies, ends_at, .. } = row;
    let Some(before) = before else {
        let Some((account, added_at)) = copies.clone() else { return Ok(Vec::new()) };
        let member = Member { account, membership: after.clone(), added_at, expires_at: *ends_at };
        let member = Write::insert(to_row(&key, &MemberItem::new(&member))?);
        return Ok(vec![member, Write::put(to_row(&mirror, &MirrorItem { direct: after.direct })?)]);
    };
    let unchanged = before.unchanged_since_read();
    if !after.is_member() {
        return Ok(vec![Write::delete_when(key, unchanged), Write::delete(mirror)]);
    }
    let mut update = Update::of(key).when(unchanged);
    if after.via != before.via {
        update = match after.via.is_empty() {
            true => update.remove(Attribute::Via),
            false => update.set(Attribute::Via, &after.via),
        };
    }
    if let Some((account, added_at)) = copies {
        update = set_copies(update.set(Attribute::AddedAt, *added_at), account);
    }
    if row.is_end_changed() {
        update = update.set_or_remove(Attribute::EndsAt, Some(*ends_at));
    }
    if after.direct == before.direct {
        return Ok(vec![update.into()]);
    }
    let update = update.set(Attribute::Direct, after.direct);
    Ok(vec![update.into(), Write::put(to_row(&mirror, &MirrorItem { direct: after.direct })?)])
}

/// Subtracts an indirect member from its count shard.
pub(in crate::store) fn subtract_indirect_member(group: &GroupId, account: &AccountId) -> Write {
    add_to_count(group, shard_of(account), CountChange { members: -1, direct_members: 0 }).into()
}

fn add_to_count(group: &GroupId, shard: usize, change: CountChange) -> Update {
    Update::of(Key::count(group, shard))
        .add(Attribute::Members, change.members)
        .add(Attribute::DirectMembers, change.direct_members)
        .add(Attribute::Revision, 1)
}

impl Store {
    /// Commits a plan. `direct` is the context of its direct changes. After more than `conflicts` conflicts with other
    /// transactions, commits only the lowest group of each account; `None` sets no limit. Where a state is given, the first
    /// transaction requires it, and the others follow that one.
    pub(super) async fn commit_plan(
        &self,
        plan: &MemberPlan,
        state: Option<&GroupSnapshot>,
        direct: &ChangeContext<'_>,
        conflicts: Option<usize>,
    ) -> Committed {
        let room = if state.is_some() { MAX_ACTIONS - STATE_CONDITIONS } else { MAX_ACTIONS };
        let mut lanes = pack(plan, room).into_iter();
        let mut all = Committed::default();
        if let Some(state) = state
            && let Some(mut first) = lanes.next()
        {
            first[0].state = Some(state);
            all = self.commit_lane(plan, first, direct, conflicts).await;
            if all.is_in_other_state {
                all.not_committed.extend(plan.changes().into_keys().cloned());
                return all;
            }
        }
        let lanes: Vec<_> = lanes.map(|lane| self.commit_lane(plan, lane, direct, conflicts)).collect();
        let lanes: Vec<Committed> = stream::iter(lanes).buffer_unordered(LANES_SIDE_BY_SIDE).collect().await;
        lanes.into_iter().fold(all, |mut all, lane| {
            all.not_committed.extend(lane.not_committed);
            all.left_to_stream.extend(lane.left_to_stream);
            all.error = all.error.or(lane.error);
            all
        })
    }

    async fn commit_lane(
        &self,
        plan: &MemberPlan,
        lane: Lane<'_>,
        direct: &ChangeContext<'_>,
        conflicts: Option<usize>,
    ) -> Committed {
        let mut committed = Committed::default();
        let mut begun = BTreeSet::new();
        for batch in lane {
            let accounts = batch.accounts();
            // Rows above those that are not committed would depend on them.
            let is_skipped = committed.error.is_some()
                || committed.is_in_other_state
                || !accounts.is_disjoint(&committed.left_to_stream)
                || !accounts.is_disjoint(&committed.not_committed);
            let commit = match is_skipped {
                true => Ok(BatchCommit::Nothing),
                false => self.commit_batch(plan, &batch, direct, conflicts).await,
            };
            let commit = commit.unwrap_or_else(|error| {
                committed.error = Some(error);
                BatchCommit::Nothing
            });
            committed.is_in_other_state |= batch.state.is_some() && commit == BatchCommit::Nothing;
            if commit != BatchCommit::Nothing {
                begun.extend(accounts.iter().cloned());
            }
            if commit == BatchCommit::All {
                continue;
            }
            for account in accounts {
                match begun.contains(&account) {
                    true => committed.left_to_stream.insert(account),
                    false => committed.not_committed.insert(account),
                };
            }
        }
        committed
    }

    async fn commit_batch(
        &self,
        plan: &MemberPlan,
        batch: &Batch<'_>,
        direct: &ChangeContext<'_>,
        conflicts: Option<usize>,
    ) -> Result<BatchCommit, Error> {
        let all = |commit: Commit| if commit.is_done() { BatchCommit::All } else { BatchCommit::Nothing };
        let Some(limit) = conflicts else {
            return self.table.transact(batch.writes(direct)?).await.map(all);
        };
        if let Some(commit) = self.table.transact_unless_busy(batch.writes(direct)?, limit).await? {
            return Ok(all(commit));
        }
        let lowest = lowest_rows(plan, batch);
        let is_all = lowest.rows.len() == batch.rows.len();
        let commit = self.table.transact(lowest.writes(direct)?).await?;
        Ok(if commit.is_done() && !is_all { BatchCommit::LowestGroups } else { all(commit) })
    }
}

/// How much of a batch is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchCommit {
    All,
    LowestGroups,
    Nothing,
}

/// The first row of each account in a batch.
fn lowest_rows<'a>(plan: &'a MemberPlan, batch: &Batch<'a>) -> Batch<'a> {
    let mut lowest = Batch { state: batch.state, ..Batch::default() };
    let mut seen = BTreeSet::new();
    for (group, account, row) in &batch.rows {
        if seen.insert(*account) {
            lowest.add(plan, group, account, row);
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Account, AccountVersion, Edge, EdgeId, Timestamp};
    use crate::store::members::plan::{DirectChange, Reach};

    fn group(number: u8) -> GroupId {
        GroupId::new(u64::from(number), 0)
    }

    fn account(number: usize) -> Account {
        let id = AccountId::parse(&format!("acc-{number}")).unwrap();
        let text = String::new;
        Account { id, name: text(), email: text(), status: text(), version: AccountVersion::EARLIEST }
    }

    /// Groups from 0 up, each nested in all above it; these accounts are added to the lowest.
    fn additions(groups: u8, accounts: usize) -> MemberPlan {
        let now = Timestamp::from_unix_seconds(0);
        let mut plan = MemberPlan::new(Reach::AllLevels, Some(&Actor::new("admin")), now);
        for child in 0..groups {
            let edge = |parent| Edge { parent: group(parent), id: EdgeId::new(group(child), u64::from(parent)) };
            plan.add_parents(group(child), (child + 1..groups).map(edge).collect());
            (0..accounts).for_each(|number| plan.add_row((group(child), account(number).id), None));
        }
        for number in 0..accounts {
            let change = DirectChange { direct: true, copies: Some((account(number), now)), ends_at: None };
            plan.change_direct((group(0), account(number).id), change);
        }
        assert!(plan.evaluate().is_empty(), "all rows are read");
        plan
    }

    fn batches(plan: &MemberPlan) -> Vec<Batch<'_>> {
        pack(plan, MAX_ACTIONS).into_iter().flatten().collect()
    }

    #[test]
    fn row_in_a_dense_graph_changes_once() {
        let plan = additions(30, 1);
        let changes = plan.changes();
        let rows = &changes[&account(0).id];
        let via: Vec<usize> = rows.iter().map(|(_, row)| row.after.via.len()).collect();
        assert_eq!(via, (0..30).collect::<Vec<_>>(), "each row has an edge to all groups below");
    }

    #[test]
    fn up_to_25_groups_of_an_account_fit_one_transaction() {
        let plan = additions(25, 1);
        let batches = batches(&plan);
        assert_eq!(batches.iter().map(Batch::actions).collect::<Vec<_>>(), [100]);
        assert!(batches[0].sources.is_empty(), "each child's row changes in the same transaction");
    }

    #[test]
    fn more_groups_are_cut_where_they_need_fewest_conditions() {
        let plan = additions(30, 1);
        let batches = batches(&plan);
        let sizes: Vec<(usize, usize)> = batches.iter().map(|batch| (batch.rows.len(), batch.sources.len())).collect();
        assert_eq!(sizes, [(7, 0), (23, 7)]);
        assert!(batches.iter().all(|batch| batch.actions() <= MAX_ACTIONS));
    }

    #[test]
    fn every_batch_fits_a_transaction_and_no_two_lanes_share_a_shard() {
        for (groups, accounts) in [(1, 500), (3, 240), (26, 40), (91, 3)] {
            let plan = additions(groups, accounts);
            let lanes = pack(&plan, MAX_ACTIONS);
            let mut rows = 0;
            let mut seen = BTreeSet::new();
            for lane in lanes {
                let shards: BTreeSet<_> = lane.iter().flat_map(|batch| batch.shards.keys().copied()).collect();
                assert!(shards.iter().all(|shard| seen.insert(*shard)), "{groups} groups: a shard of two lanes");
                for batch in lane {
                    assert!(batch.actions() <= MAX_ACTIONS, "{groups} groups, {accounts} accounts");
                    assert!(batch.sources.keys().all(|source| !batch.places.contains(source)));
                    rows += batch.rows.len();
                }
            }
            assert_eq!(rows, usize::from(groups) * accounts);
        }
    }
}
