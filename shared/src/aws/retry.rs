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
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pauses after conflicts of transactions, in milliseconds; the last one also for all further conflicts. They fall, so
/// that a request tries the more often the longer it has waited (docs/decisions/0031).
const PAUSES_AFTER_CONFLICTS: [u64; 5] = [200, 150, 100, 50, 10];

/// Why a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It met another transaction.
    Conflict,
    /// The service was too busy, or failed.
    Busy,
}

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
    send_with_backoff(operation, deadline, |error| is_retryable(error).then_some(Retry::Busy), send).await
}

/// As [`send_with_retry`]. `retry` returns why to send it again after an error, or `None` for one that is final.
pub(crate) async fn send_with_backoff<T, E, F>(
    operation: &'static str,
    deadline: Instant,
    retry: impl Fn(&E) -> Option<Retry>,
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
        // Boxed: the SDK's future nests deep, and the compiler limits how deep futures that contain it may.
        let response = timeout_at(deadline, Box::pin(send())).await;
        let mut why = Retry::Busy;
        let cause = match response.map_err(|_| Error::Unavailable { operation })? {
            Ok(output) => return Ok(Ok(output)),
            Err(SdkError::ServiceError(error)) => {
                match retry(error.err()) {
                    Some(retry) => why = retry,
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
        match why {
            Retry::Busy => backoff.pause().await?,
            Retry::Conflict => backoff.pause_after_conflict().await?,
        }
    }
}

/// Random pauses between attempts.
pub(crate) struct Backoff {
    operation: &'static str,
    deadline: Instant,
    longest: Duration,
    conflicts: usize,
}

impl Backoff {
    /// Starts with the shortest bound; `operation` is named in the error.
    pub(crate) const fn new(operation: &'static str, deadline: Instant) -> Self {
        Self { operation, deadline, longest: FIRST_PAUSE, conflicts: 0 }
    }

    /// Waits before the next attempt. Exponential backoff with full jitter: a pause is random between zero and a bound that
    /// doubles. It spreads clients that collided (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    ///
    /// # Errors
    /// [`Error::Unavailable`], at once, when the pause would pass the deadline.
    pub(crate) async fn pause(&mut self) -> Result<(), Error> {
        let pause = self.longest.mul_f64(fastrand::f64());
        self.longest = (self.longest * 2).min(LONGEST_PAUSE);
        self.wait(pause).await
    }

    /// Waits before the next attempt, after a conflict with another transaction: between half of and all of the longest pause.
    ///
    /// # Errors
    /// [`Error::Unavailable`], at once, when the pause would pass the deadline.
    async fn pause_after_conflict(&mut self) -> Result<(), Error> {
        let longest = PAUSES_AFTER_CONFLICTS[self.conflicts.min(PAUSES_AFTER_CONFLICTS.len() - 1)];
        self.conflicts += 1;
        self.wait(Duration::from_millis(longest).mul_f64(0.5 + 0.5 * fastrand::f64())).await
    }

    async fn wait(&self, pause: Duration) -> Result<(), Error> {
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
