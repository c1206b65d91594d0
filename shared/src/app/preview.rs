//! Dry runs, and the brake on removals.

use super::App;
use crate::domain::Error;
use crate::domain::preview::{Precautions, Preview};
use crate::http::{ApiError, Reply};

impl App {
    /// Takes the precautions that a request asks for. Returns the reply to a dry run; `None` for a change that may be made. Where the request
    /// asks for none, the preview is not begun.
    ///
    /// # Errors
    /// Those of the preview; [`Error::TooManyRemovals`].
    pub async fn precede(
        &self,
        precautions: Precautions,
        preview: impl Future<Output = Result<Preview, Error>>,
    ) -> Result<Option<Reply>, ApiError> {
        if !precautions.dry_run && precautions.max_removals.is_none() {
            return Ok(None);
        }
        let preview = preview.await?;
        if let Some(max_removals) = precautions.max_removals {
            preview.require_at_most(max_removals)?;
        }
        Ok(precautions.dry_run.then(|| Reply::preview(&preview)))
    }
}
