//! Copies the sums of a group's count shards into its row, for lists.

use crate::domain::{Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::rows::{AnyRow, CountItem, decode_row};
use crate::store::table::{Condition, QuerySpec, Update, unreadable};

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
        let mut unchanged = Condition::equals(Attribute::CountedRevision, copied);
        if copied == 0 {
            unchanged = Condition::absent(Attribute::CountedRevision).or(unchanged);
        }
        self.write_counts(group, counts, unchanged).await
    }

    async fn copied_revision_and_counts(&self, group: &GroupId) -> Result<Option<(i64, CountItem)>, Error> {
        // Few rows: the decoder of long lists would make the stream consumer larger.
        let (mut copied, mut counts) = (None, CountItem::default());
        for row in self.table.query(QuerySpec::all(&Range::CountsAndGroup(*group))).await? {
            let key = Key::from_row(&row).ok_or_else(|| unreadable("row key"))?;
            match decode_row(&key, row)? {
                AnyRow::Count(_, shard) => counts = counts + shard,
                AnyRow::Group(_, item) => copied = Some(item.counted_revision),
                _ => {}
            }
        }
        Ok(copied.map(|copied| (copied, counts)))
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
