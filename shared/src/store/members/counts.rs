//! Copies the sums of a group's count shards into its row, for lists.

use crate::domain::{Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Attribute, Key};
use crate::store::table::{Condition, Update};

impl Store {
    /// Copies a group's counts into its row, unless it has later ones. One `Query`, one `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn copy_counts(&self, group: &GroupId) -> Result<(), Error> {
        let counts = self.count_members(group).await?;
        let (revision, counts) = (counts.revision, counts.counts());
        let is_older = Condition::absent(Attribute::CountedRevision)
            .or(Condition::less_than(Attribute::CountedRevision, revision));
        let update = Update::of(Key::group(group))
            .set(Attribute::MemberCount, counts.members)
            .set(Attribute::DirectMemberCount, counts.direct_members)
            .set(Attribute::CountedRevision, revision)
            .when(Condition::row_exists())
            .when(is_older);
        self.table.update(update).await.map(drop)
    }
}
