//! The one place that tries again. The SDK's own retries are off: they know nothing of transaction conflicts, nor of the
//! time that the invocation has left.

use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, sleep, timeout_at};

use crate::domain::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a request may be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// Each request for this long.
    Each(Duration),
    /// All of them until then.
    Until(Instant),
}

impl Time {
    /// When to give up what begins now.
    pub(crate) fn deadline(self) -> Instant {
        match self {
            Self::Each(patience) => Instant::now() + patience,
            Self::Until(deadline) => deadline,
        }
    }
}

/// Whether an error passes by itself.
pub(crate) fn is_transient<E: ProvideErrorMetadata>(error: &E) -> bool {
    matches!(
        error.code(),
        Some(
            "InternalServerError"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "TransactionConflictException"
                | "TransactionInProgressException"
        )
    )
}

/// Sends a request until it is answered for good or the deadline has come. The inner result is the table's word.
///
/// # Errors
/// [`Error::Unavailable`] when time is up, [`Error::Internal`] when the request could not even be made.
pub(crate) async fn attempt<T, E, F>(
    operation: &'static str,
    deadline: Instant,
    is_transient: impl Fn(&E) -> bool,
    send: impl Fn() -> F,
) -> Result<Result<T, E>, Error>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut backoff = Backoff::new(operation, deadline);
    loop {
        // What is sent may be done, whether or not somebody waits for it.
        if Instant::now() >= deadline {
            return Err(Error::Unavailable { operation });
        }
        let answer = timeout_at(deadline, send()).await;
        let cause = match answer.map_err(|_| Error::Unavailable { operation })? {
            Ok(output) => return Ok(Ok(output)),
            Err(SdkError::ServiceError(error)) => {
                if !is_transient(error.err()) && error.raw().status().as_u16() < 500 {
                    return Ok(Err(error.into_err()));
                }
                "refused for now"
            }
            Err(SdkError::TimeoutError(_)) => "timed out",
            Err(SdkError::ResponseError(_)) => "answered unreadably",
            Err(SdkError::DispatchFailure(failure)) if !failure.is_user() => "not reached",
            Err(_) => {
                return Err(Error::Internal { operation, code: "request not made".into() });
            }
        };
        tracing::debug!(operation, cause, "trying again");
        backoff.pause().await?;
    }
}

/// Pauses before another attempt: of a length between nothing and a bound that doubles, so that those who met do not
/// meet again (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
pub(crate) struct Backoff {
    operation: &'static str,
    deadline: Instant,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(operation: &'static str, deadline: Instant) -> Self {
        Self { operation, deadline, longest: FIRST_PAUSE }
    }

    /// Waits.
    ///
    /// # Errors
    /// [`Error::Unavailable`], at once, when the deadline would come first.
    pub(crate) async fn pause(&mut self) -> Result<(), Error> {
        let pause = self.longest.mul_f64(fastrand::f64());
        self.longest = (self.longest * 2).min(LONGEST_PAUSE);
        if Instant::now() + pause >= self.deadline {
            return Err(Error::Unavailable { operation: self.operation });
        }
        sleep(pause).await;
        Ok(())
    }
}

/// What an error is that no caller of the operation can mean anything by.
pub(crate) fn internal<E: ProvideErrorMetadata>(operation: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Internal { operation, code: error.code().unwrap_or("unknown").to_owned() }
}
