//! Invokes a scheduled function, one run at a time, as EventBridge Scheduler does.

use std::time::Duration;

use futures::FutureExt;
use lambda_http::Context;
use shared::app::{Dependencies, ScheduledFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::time::MissedTickBehavior;

use crate::activity::Activity;
use crate::template::ScheduleSource;

/// A scheduled function with its dependencies.
pub struct Scheduler<D> {
    source: ScheduleSource,
    function: ScheduledFunction<D>,
    dependencies: D,
}

impl<D: Dependencies> Scheduler<D> {
    /// Makes the scheduler of a function.
    #[must_use]
    pub const fn new(source: ScheduleSource, function: ScheduledFunction<D>, dependencies: D) -> Self {
        Self { source, function, dependencies }
    }

    /// Invokes the function again and again until the runtime shuts down.
    pub async fn run(self, activity: Activity) {
        let mut ticks = tokio::time::interval(Duration::from_secs(self.source.period_seconds));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.invoke().await;
            activity.note();
        }
    }

    /// Invokes the function once.
    pub async fn invoke(&self) {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
        context.deadline = SystemClock.unix_millis() + self.source.timeout_seconds * 1_000;
        let run = self.function.answer(&self.dependencies, &context);
        match std::panic::AssertUnwindSafe(run).catch_unwind().await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the scheduled function fails"),
            Err(_) => tracing::error!("the scheduled function panics"),
        }
    }
}
