//! Remembers which rows a change will probably need, so that they are read early. A change still reads all that it depends
//! on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::GroupId;

/// Groups whose ancestors are remembered, at most.
const REMEMBERED_GROUPS: usize = 1_000;

/// The ancestors that earlier changes of this process found, by group.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct AncestorHints(Arc<Mutex<HashMap<GroupId, Vec<GroupId>>>>);

impl AncestorHints {
    /// The ancestors of a group as last found.
    pub(in crate::store) fn get(&self, group: &GroupId) -> Vec<GroupId> {
        self.lock().get(group).cloned().unwrap_or_default()
    }

    /// Remembers the ancestors of a group.
    pub(in crate::store) fn remember(&self, group: &GroupId, ancestors: Vec<GroupId>) {
        let mut hints = self.lock();
        if hints.len() >= REMEMBERED_GROUPS {
            hints.clear();
        }
        match ancestors.is_empty() {
            true => hints.remove(group),
            false => hints.insert(*group, ancestors),
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GroupId, Vec<GroupId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
