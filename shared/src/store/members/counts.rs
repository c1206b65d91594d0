//! Copies the sums of a group's count shards into its row, for lists.

use crate::domain::{Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Attribute, Key};
use crate::store::rows::CountItem;
use crate::store::table::{Condition, Update};

impl Store {
    /// Copies a group's counts into its row, unless it has them or later ones. One `Query` and, where they are older, one
    /// `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn copy_counts(&self, group: &GroupId) -> Result<(), Error> {
        let Some((copied, counts)) = self.copied_revision_and_counts(group).await? else { return Ok(()) };
        if copied >= counts.revision {
            return Ok(());
        }
        let is_older = Condition::absent(Attribute::CountedRevision)
            .or(Condition::less_than(Attribute::CountedRevision, counts.revision));
        self.write_counts(group, counts, is_older).await
    }

    /// Copies a group's counts into its row, where it has those of any other revision. A shard that was lost and is back
    /// counts its changes from the beginning.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_copied_counts(&self, group: &GroupId) -> Result<(), Error> {
        let Some((copied, counts)) = self.copied_revision_and_counts(group).await? else { return Ok(()) };
        if copied == counts.revision {
            return Ok(());
        }
        self.write_counts(group, counts, Condition::counts(Attribute::CountedRevision, copied)).await
    }

    async fn copied_revision_and_counts(&self, group: &GroupId) -> Result<Option<(i64, CountItem)>, Error> {
        let (shards, item) = self.shards_and_group(group).await?;
        let counts = shards.into_iter().map(|(_, shard)| shard).sum();
        Ok(item.map(|item| (item.counted_revision, counts)))
    }

    async fn write_counts(&self, group: &GroupId, counts: CountItem, condition: Condition) -> Result<(), Error> {
        let (revision, counts) = (counts.revision, counts.counts());
        // Below zero only in a table that lacks shards; a group's row has no such counts.
        let update = Update::of(Key::group(group))
            .set(Attribute::MemberCount, counts.members.max(0))
            .set(Attribute::DirectMemberCount, counts.direct_members.max(0))
            .set(Attribute::CountedRevision, revision)
            .when(Condition::row_exists())
            .when(condition);
        self.table.update(update).await.map(drop)
    }
}
