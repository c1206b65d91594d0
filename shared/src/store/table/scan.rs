//! Reading the whole table, for `verify`. No call of the API reads this way.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Table;
use crate::aws::retry::{internal, is_retryable, send_with_retry};
use crate::domain::Error;
use crate::store::keys::Attributes;

/// Segments of the table that are read side by side.
const SEGMENTS: i32 = 4;

impl Table {
    /// `Scan`, strongly consistent: `read` turns each row into any number of values. A change during the scan may be seen
    /// in part.
    pub(in crate::store) async fn scan<T>(&self, read: impl Fn(Attributes, &mut Vec<T>)) -> Result<Vec<T>, Error> {
        let segments: Vec<_> = (0..SEGMENTS).map(|segment| self.scan_segment(segment, &read)).collect();
        let segments = stream::iter(segments).buffer_unordered(SEGMENTS.unsigned_abs() as usize);
        Ok(segments.try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
    }

    #[expect(clippy::disallowed_methods, reason = "verify reads all rows; no call of the API does")]
    async fn scan_segment<T>(&self, segment: i32, read: &impl Fn(Attributes, &mut Vec<T>)) -> Result<Vec<T>, Error> {
        const OPERATION: &str = "Scan";
        let request = self.client.scan().table_name(&*self.name).consistent_read(true);
        let request = request.segment(segment).total_segments(SEGMENTS);
        let (mut values, mut start) = (Vec::new(), None);
        loop {
            let request = request.clone().set_exclusive_start_key(start);
            let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
            let output = sent.map_err(internal(OPERATION))?;
            for row in output.items.unwrap_or_default() {
                read(row, &mut values);
            }
            start = output.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(values);
            }
        }
    }
}
