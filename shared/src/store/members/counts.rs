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
        let range = Range::CountsAndGroup(*group);
        let mut rows = self.table.query_typed::<CountItem>(QuerySpec::all(&range)).await?;
        let shards = rows.take_heads::<CountItem>(|key| key.as_count().is_some())?;
        let Some(Row { item: row, .. }) = rows.take_head::<GroupItem>(&Key::group(group))? else { return Ok(()) };
        let counts: CountItem = shards.into_iter().map(|Row { item, .. }| item).sum();
        if counts.revision <= row.counted_revision {
            return Ok(());
        }
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
