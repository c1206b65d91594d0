//! A group of the demo data.

use shared::domain::GroupType;

/// The number in the id of the first account.
pub(super) const FIRST_ACCOUNT: u16 = 101;

/// A group of the demo data.
#[derive(Debug)]
pub struct DemoGroup {
    /// The name.
    pub name: String,
    /// The description.
    pub description: String,
    /// The type.
    pub group_type: GroupType,
    /// Whether it is privileged.
    pub is_privileged: bool,
    /// The numbers of the direct members.
    pub members: Vec<u16>,
    /// Indexes of the nested groups. A nested group follows its parents in the list.
    pub nested: Vec<usize>,
}
