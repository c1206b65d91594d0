//! The ways from an account to a group, shortest first: why it is a member.
//!
//! The search goes down from the group, level by level, only through nested groups that the account is a member of. So every way down
//! ends at a group that the account was added to, and no dead end is read. A level has each group with the edges that lead
//! to it from the level before; the paths are then read off upwards, without a step in vain.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::authz::{Granted, Read};
use crate::domain::nesting::MAX_ANCESTORS;
use crate::domain::{
    AccountId, Actor, Edge, EdgeId, Error, GroupId, GroupName, Limit, MembershipPath, Missing, PathStep, Timestamp,
};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::rows::{AuditItem, Snapshot};

/// When something was done, and by whom, as far as it is recorded.
type Done = (Option<Timestamp>, Option<Actor>);

/// The groups at the same number of steps below, each with the edges that lead to it from the level above.
type Level = BTreeMap<GroupId, Vec<Edge>>;

/// A group that the account is a member of.
struct Reached {
    name: GroupName,
    /// When and by whom the account was added to the group itself, if it was.
    direct: Option<Done>,
    via: BTreeSet<EdgeId>,
}

/// The groups and edges that were read.
struct Reading {
    groups: HashMap<GroupId, Reached>,
    edges: HashMap<Edge, Done>,
    looked_up: HashSet<Key>,
    now: Timestamp,
}

impl Store {
    /// Finds the shortest ways, up to `limit`, from an account to a group that it is a member of at this time. Also returns whether there are more.
    /// One `BatchGetItem` for each level that has groups with the account, until enough ways are found.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Member`].
    pub async fn find_membership_paths(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        account: &AccountId,
        limit: Limit,
        now: Timestamp,
    ) -> Result<(Vec<MembershipPath>, bool), Error> {
        let mut reading = Reading { groups: HashMap::new(), edges: HashMap::new(), looked_up: HashSet::new(), now };
        let mut levels = vec![Level::from([(*group, Vec::new())])];
        // The ways down to each group of the last level; sums of them may be large in a dense graph.
        let mut ways: HashMap<GroupId, usize> = HashMap::new();
        let mut found = 0_usize;
        while let Some(level) = levels.last_mut().filter(|level| !level.is_empty()) {
            reading.read(self, level, account).await?;
            reading.drop_ended(level);
            let ways_to = |edges: &[Edge]| match edges {
                [] => 1,
                edges => edges.iter().map(|edge| ways[&edge.parent]).fold(0, usize::saturating_add),
            };
            ways = level.iter().map(|(group, edges)| (*group, ways_to(edges))).collect();
            let direct = level.keys().filter(|group| reading.groups[*group].direct.is_some());
            found = direct.map(|group| ways[group]).fold(found, usize::saturating_add);
            let next = reading.level_below(level);
            // No group has more levels below it.
            if found > limit.items() || levels.len() > MAX_ANCESTORS {
                break;
            }
            levels.push(next);
        }
        if !reading.groups.contains_key(group) {
            let is_there = self.find_group(group).await?.is_some();
            return Err(if is_there { Missing::Member } else { Missing::Group }.into());
        }
        let paths = reading.paths(&levels, limit.items());
        // All ways that the rows show begin at a direct membership that has ended.
        if paths.is_empty() {
            return Err(Missing::Member.into());
        }
        Ok((paths, found > limit.items()))
    }
}

impl Reading {
    /// Reads the groups and edges of a level that were not read before.
    async fn read(&mut self, store: &Store, level: &Level, account: &AccountId) -> Result<(), Error> {
        let rows_of =
            |group: &GroupId| [Key::group(group), Key::member(group, account), Key::audit_record(group, account)];
        let groups: Vec<&GroupId> = level.keys().filter(|group| self.looked_up.insert(Key::group(group))).collect();
        let edges = level.values().flatten();
        let edges: Vec<&Edge> =
            edges.filter(|edge| self.looked_up.insert(Key::child(&edge.parent, &edge.child()))).collect();
        let mut keys: Vec<Key> = groups.iter().flat_map(|group| rows_of(group)).collect();
        keys.extend(edges.iter().map(|edge| Key::child(&edge.parent, &edge.child())));
        let rows = Snapshot::read(&store.table, &keys).await?;
        for group in groups {
            let (Some(active), Some(member)) = (rows.group(group)?, rows.member(group, account)?) else { continue };
            let audit_record = rows.audit_record(group, account)?;
            let is_direct = member.direct && !member.has_expired(self.now);
            let direct = is_direct.then(|| audit_record.map(AuditItem::direct_addition).unwrap_or_default());
            self.groups.insert(*group, Reached { name: active.profile.name, direct, via: member.via.clone() });
        }
        for edge in edges {
            let child = rows.child(&edge.parent, &edge.child())?.filter(|child| child.edge_id == edge.id);
            self.edges.extend(child.map(|child| (*edge, (child.nested_at, child.nested_by.clone()))));
        }
        Ok(())
    }

    /// Drops the edges that are deleted, and the groups that no edge leads to or that the account is no member of any more.
    fn drop_ended(&self, level: &mut Level) {
        level.retain(|group, edges| {
            let is_first = edges.is_empty();
            edges.retain(|edge| self.edges.contains_key(edge));
            self.groups.contains_key(group) && (is_first || !edges.is_empty())
        });
    }

    fn level_below(&self, level: &Level) -> Level {
        let mut below = Level::new();
        for group in level.keys() {
            for id in &self.groups[group].via {
                below.entry(id.child()).or_default().push(Edge { parent: *group, id: *id });
            }
        }
        below
    }

    fn paths(&self, levels: &[Level], wanted: usize) -> Vec<MembershipPath> {
        let mut paths = Vec::new();
        for (depth, level) in levels.iter().enumerate() {
            for group in level.keys() {
                let Some(direct) = self.groups.get(group).and_then(|reached| reached.direct.as_ref()) else { continue };
                let mut steps = vec![self.step(group, direct)];
                self.ascend(&levels[..=depth], group, &mut steps, wanted, &mut paths);
            }
        }
        paths
    }

    /// Adds the paths that begin with these steps, the last of them to `group` in the last of these levels.
    fn ascend(
        &self,
        levels: &[Level],
        group: &GroupId,
        steps: &mut Vec<PathStep>,
        wanted: usize,
        paths: &mut Vec<MembershipPath>,
    ) {
        let [above @ .., level] = levels else { return };
        if paths.len() == wanted {
            return;
        }
        if above.is_empty() {
            paths.push(MembershipPath { steps: steps.clone() });
        }
        for edge in &level[group] {
            steps.push(self.step(&edge.parent, &self.edges[edge]));
            self.ascend(above, &edge.parent, steps, wanted, paths);
            steps.pop();
        }
    }

    fn step(&self, group: &GroupId, (at, by): &Done) -> PathStep {
        PathStep { group: *group, name: self.groups[group].name.clone(), at: *at, by: by.clone() }
    }
}
