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
            require_at_most(max_removals, &preview)?;
        }
        Ok(precautions.dry_run.then(|| Reply::preview(&preview)))
    }
}

/// Refuses a change that would take a membership from more accounts, or from an unknown number.
fn require_at_most(max_removals: u32, preview: &Preview) -> Result<(), Error> {
    let Preview { removals, is_complete, .. } = *preview;
    let are_uncounted = !is_complete && removals > 0;
    if removals > u64::from(max_removals) || are_uncounted {
        return Err(Error::TooManyRemovals { removals, max_removals, is_complete });
    }
    Ok(())
}
