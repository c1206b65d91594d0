//! Replaces rows of the first design, in which lists and searches read an index.

use crate::domain::{Error, GroupId, Job, JobKind};
use crate::store::Store;
use crate::store::jobs::insert_job;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::rows::{JobItem, from_row};
use crate::store::table::{Condition, QuerySpec, Update, Write};

impl Store {
    /// Removes a group's search rows and attributes of the first design. One `Query`, a transaction for each hundred rows, and
    /// one `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_first_design_group(&self, group: &GroupId) -> Result<(), Error> {
        let rows = self.table.query(QuerySpec::all(&Range::FirstDesignNames(*group))).await?;
        self.delete_rows(rows.iter().filter_map(Key::from_row)).await?;
        let remove = |update: Update, attribute: Attribute| update.remove(attribute);
        let update = Attribute::FIRST_DESIGN.into_iter().fold(Update::of(Key::group(group)), remove);
        self.table.update(update.when(Condition::row_exists())).await.map(drop)
    }

    /// Moves a job of the first design to the key of this one, where it starts from the beginning. One `GetItem` and one
    /// transaction; where the job exists there already, a `DeleteItem`.
    ///
    /// # Errors
    /// The table did not respond, or the row cannot be decoded.
    pub(crate) async fn repair_first_design_job(&self, kind: &JobKind) -> Result<(), Error> {
        let key = Key::first_design_job(kind);
        let Some(row) = self.table.get(&key).await? else { return Ok(()) };
        let (_, item): (_, JobItem) = from_row(row)?;
        let old = item.job(kind.clone());
        let job = Job::new(old.kind, old.created_at, old.actor.as_ref());
        if self.table.transact(vec![insert_job(&job)?, Write::delete(key.clone())]).await?.is_done() {
            return Ok(());
        }
        self.table.delete(&key).await
    }
}
