//! Reads the groups above changed members, level by level, or all at once where an earlier change found them.

use super::plan::MemberPlan;
use crate::domain::{Error, GroupId};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::rows::Snapshot;

/// Member rows of ancestors that are read on a hint, at most.
const HINTED_ROWS: usize = 90;

impl Store {
    /// The ancestors of a group as an earlier change found them; none where their rows would be too many.
    pub(super) fn hinted_ancestors(&self, group: &GroupId, accounts: usize) -> Vec<GroupId> {
        let ancestors = self.ancestor_hints.get(group);
        if ancestors.len() * accounts <= HINTED_ROWS { ancestors } else { Vec::new() }
    }

    /// Remembers the ancestors of a group, for changes that follow.
    pub(super) fn remember_ancestors(&self, group: &GroupId, plan: &MemberPlan) {
        let ancestors = plan.ancestors_of(group);
        self.ancestor_hints.remember(group, ancestors);
    }

    /// Evaluates a plan, and reads the rows above that it depends on, until it is complete. One `BatchGetItem` for each level
    /// and hundred rows; plain reads.
    pub(super) async fn read_ancestors_of(&self, plan: &mut MemberPlan) -> Result<(), Error> {
        loop {
            let missing = plan.evaluate();
            if missing.is_empty() {
                return Ok(());
            }
            let members = missing.rows.iter().map(|(group, account)| Key::member(group, account));
            let keys: Vec<Key> = missing.groups.iter().map(Key::nesting).chain(members).collect();
            let rows = Snapshot::read(&self.table, &keys).await?;
            for group in missing.groups {
                plan.add_parents(group, rows.parents(&group)?);
            }
            for place in missing.rows {
                let row = rows.member(&place.0, &place.1)?.cloned();
                plan.add_row(place, row);
            }
        }
    }
}
