//! Parts of the models: groups, and items that transactions write.

use std::ops::{Index, IndexMut};

/// Three groups suffice for two levels, for a diamond, and for a cycle that takes three requests to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Group {
    A,
    B,
    C,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::A, Self::B, Self::C];
}

/// One value for each group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PerGroup<T>([T; 3]);

impl<T> Index<Group> for PerGroup<T> {
    type Output = T;

    fn index(&self, group: Group) -> &T {
        &self.0[group as usize]
    }
}

impl<T> IndexMut<Group> for PerGroup<T> {
    fn index_mut(&mut self, group: Group) -> &mut T {
        &mut self.0[group as usize]
    }
}

/// An item of the table. A transaction first decides its value, which locks the item; the value becomes visible later.
/// Until then a plain read returns the old value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Item<T> {
    pub(crate) visible: T,
    pub(crate) decided: Option<T>,
}

impl<T: Copy> Item<T> {
    /// Returns the decided value, visible or not.
    pub(crate) fn latest(&self) -> T {
        self.decided.unwrap_or(self.visible)
    }

    /// Returns the value as a transaction sees it, or `None` while another transaction locks the item.
    pub(crate) fn unlocked(&self) -> Option<T> {
        if self.decided.is_some() { None } else { Some(self.visible) }
    }
}
