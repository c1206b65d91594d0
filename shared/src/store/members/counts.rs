//! Copies the sums of a group's count shards into its row, for lists.

use crate::domain::{Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::rows::{CountItem, GroupItem};
use crate::store::table::{Condition, QuerySpec, Row, Update};

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

    /// Copies a group's counts into its row, where it has those of any other revision. A shard that was lost and written anew
    /// counts its changes from the beginning.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_copied_counts(&self, group: &GroupId) -> Result<(), Error> {
        let Some((copied, counts)) = self.copied_revision_and_counts(group).await? else { return Ok(()) };
        if copied == counts.revision {
            return Ok(());
        }
        let mut unchanged = Condition::equals(Attribute::CountedRevision, copied);
        if copied == 0 {
            unchanged = Condition::absent(Attribute::CountedRevision).or(unchanged);
        }
        self.write_counts(group, counts, unchanged).await
    }

    async fn copied_revision_and_counts(&self, group: &GroupId) -> Result<Option<(i64, CountItem)>, Error> {
        let range = Range::CountsAndGroup(*group);
        let mut rows = self.table.query_typed::<CountItem>(QuerySpec::all(&range)).await?;
        let shards = rows.take_heads::<CountItem>(|key| key.as_count().is_some())?;
        let group = rows.take_head::<GroupItem>(&Key::group(group))?;
        let counts = shards.into_iter().map(|Row { item, .. }| item).sum();
        Ok(group.map(|Row { item, .. }| (item.counted_revision, counts)))
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
