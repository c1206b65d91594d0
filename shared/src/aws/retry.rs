//! Retries with backoff, for all AWS requests. The SDK's own retries are off: they ignore transaction conflicts and the
//! time that the invocation has left.

use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, sleep, timeout_at};

use crate::domain::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause between attempts.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a conflict of transactions. One lasts some twenty milliseconds, so that the next attempt need not
/// wait as long as after throttling.
pub(crate) const LONGEST_PAUSE_AFTER_CONFLICT: Duration = Duration::from_millis(150);

/// The time limit for a request and its retries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TimeLimit {
    /// Each request has this time budget.
    PerRequest(Duration),
    /// All requests have this deadline.
    Until(Instant),
}

impl TimeLimit {
    /// Returns the deadline of a request that starts now.
    pub(crate) fn deadline(self) -> Instant {
        match self {
            Self::PerRequest(time_budget) => Instant::now() + time_budget,
            Self::Until(deadline) => deadline,
        }
    }
}

/// Whether an error code is temporary.
pub(crate) fn is_retryable<E: ProvideErrorMetadata>(error: &E) -> bool {
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

/// Sends a request and retries it until a final response or the deadline. The inner result is the service's response.
///
/// # Errors
/// [`Error::Unavailable`] at the deadline, [`Error::Internal`] when the request could not be built.
pub(crate) async fn send_with_retry<T, E, F>(
    operation: &'static str,
    deadline: Instant,
    is_retryable: impl Fn(&E) -> bool,
    send: impl Fn() -> F,
) -> Result<Result<T, E>, Error>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    send_with_backoff(operation, deadline, |error| is_retryable(error).then_some(LONGEST_PAUSE), send).await
}

/// As [`send_with_retry`]. `longest_pause` returns the longest pause after an error, or `None` for one that is final.
pub(crate) async fn send_with_backoff<T, E, F>(
    operation: &'static str,
    deadline: Instant,
    longest_pause: impl Fn(&E) -> Option<Duration>,
    send: impl Fn() -> F,
) -> Result<Result<T, E>, Error>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut backoff = Backoff::new(operation, deadline);
    loop {
        // A request that is sent past the deadline could still take effect.
        if Instant::now() >= deadline {
            return Err(Error::Unavailable { operation });
        }
        let response = timeout_at(deadline, send()).await;
        let mut longest = LONGEST_PAUSE;
        let cause = match response.map_err(|_| Error::Unavailable { operation })? {
            Ok(output) => return Ok(Ok(output)),
            Err(SdkError::ServiceError(error)) => {
                match longest_pause(error.err()) {
                    Some(pause) => longest = pause,
                    None if error.raw().status().as_u16() < 500 => return Ok(Err(error.into_err())),
                    None => {}
                }
                "retryable error"
            }
            Err(SdkError::TimeoutError(_)) => "timed out",
            Err(SdkError::ResponseError(_)) => "unreadable response",
            Err(SdkError::DispatchFailure(failure)) if !failure.is_user() => "connection failed",
            Err(_) => {
                return Err(Error::Internal { operation, code: "request not made".into() });
            }
        };
        tracing::debug!(operation, cause, "retrying");
        backoff.pause_at_most(longest).await?;
    }
}

/// Exponential backoff with full jitter: a pause is random between zero and a bound that doubles. It spreads clients
/// that collided (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
pub(crate) struct Backoff {
    operation: &'static str,
    deadline: Instant,
    longest: Duration,
}

impl Backoff {
    /// Starts with the shortest bound; `operation` is named in the error.
    pub(crate) const fn new(operation: &'static str, deadline: Instant) -> Self {
        Self { operation, deadline, longest: FIRST_PAUSE }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// [`Error::Unavailable`], at once, when the pause would pass the deadline.
    pub(crate) async fn pause(&mut self) -> Result<(), Error> {
        self.pause_at_most(LONGEST_PAUSE).await
    }

    async fn pause_at_most(&mut self, longest: Duration) -> Result<(), Error> {
        let pause = self.longest.min(longest).mul_f64(fastrand::f64());
        self.longest = (self.longest * 2).min(LONGEST_PAUSE);
        if Instant::now() + pause >= self.deadline {
            return Err(Error::Unavailable { operation: self.operation });
        }
        sleep(pause).await;
        Ok(())
    }
}

/// Converts an error that no caller of the operation handles into [`Error::Internal`] with its code.
pub(crate) fn internal<E: ProvideErrorMetadata>(operation: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Internal { operation, code: error.code().unwrap_or("unknown").to_owned() }
}
