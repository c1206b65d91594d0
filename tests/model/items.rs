//! What both models are made of: groups, and items that transactions write.

use std::ops::{Index, IndexMut};

/// Three are enough for two levels, for a diamond and for a circle that no two requests close.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// An item of the table. A transaction that writes it decides first, which locks the item, and is seen in it later;
/// until then a plain read answers with what was there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Item<T> {
    pub(crate) visible: T,
    pub(crate) decided: Option<T>,
}

impl<T: Copy> Item<T> {
    /// What counts: the decision, seen or not.
    pub(crate) fn latest(&self) -> T {
        self.decided.unwrap_or(self.visible)
    }

    /// The item as a transaction meets it, which is refused while another one holds it.
    pub(crate) fn unlocked(&self) -> Option<T> {
        if self.decided.is_some() { None } else { Some(self.visible) }
    }
}
