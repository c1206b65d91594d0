//! Records the requests of the API to its table, with an interceptor in the SDK's client.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use serde_json::Value;

/// A request to the table as sent.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub operation: String,
    pub body: Value,
    /// Ticks of a shared counter at its start and end. Requests whose ticks overlap ran concurrently.
    started: usize,
    ended: usize,
}

#[derive(Debug, Default)]
struct Log {
    tick: usize,
    requests: Vec<Recorded>,
}

/// Every request since the last [`Recorder::take`].
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Log>>);

impl Recorder {
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }
}

/// The index of the recorded request that an attempt belongs to.
#[derive(Debug)]
struct Ticket(usize);

impl Storable for Ticket {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.rsplit('.').next().unwrap().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut log = self.0.lock().unwrap();
        log.tick += 1;
        let started = log.tick;
        bag.interceptor_state().store_put(Ticket(log.requests.len()));
        log.requests.push(Recorded { operation, body, started, ended: usize::MAX });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Ticket(index)) = bag.load::<Ticket>() {
            let mut log = self.0.lock().unwrap();
            log.tick += 1;
            let ended = log.tick;
            // The request is gone if `take` was called in the meantime.
            if let Some(request) = log.requests.get_mut(*index) {
                request.ended = ended;
            }
        }
        Ok(())
    }
}

/// Returns the length of the longest chain of requests in which each began after the one before had ended.
pub fn sequential(requests: &[Recorded]) -> usize {
    let mut by_end: Vec<&Recorded> = requests.iter().collect();
    by_end.sort_by_key(|request| request.ended);
    let (mut chain, mut last_end) = (0, 0);
    for request in by_end {
        if request.started > last_end {
            chain += 1;
            last_end = request.ended;
        }
    }
    chain
}

/// Returns the operations in the order in which they began.
pub fn operations(requests: &[Recorded]) -> Vec<&str> {
    requests.iter().map(|request| request.operation.as_str()).collect()
}

/// Returns the requests that write.
pub fn writes(requests: &[Recorded]) -> Vec<&Recorded> {
    const READS: [&str; 4] = ["BatchGetItem", "GetItem", "Query", "TransactGetItems"];
    requests.iter().filter(|request| !READS.contains(&request.operation.as_str())).collect()
}

/// Returns the IAM actions that the requests need.
pub fn permissions(requests: &[Recorded]) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for request in requests {
        if request.operation == "TransactGetItems" {
            needed.insert("dynamodb:GetItem".into());
        } else if request.operation == "TransactWriteItems" {
            // A transaction needs the permission of each of its actions (DynamoDB Developer Guide, "Using IAM with
            // DynamoDB transactions").
            for action in request.body["TransactItems"].as_array().unwrap() {
                let kind = action.as_object().unwrap().keys().next().unwrap();
                let action = if kind == "ConditionCheck" { "ConditionCheckItem".into() } else { format!("{kind}Item") };
                needed.insert(format!("dynamodb:{action}"));
            }
        } else {
            needed.insert(format!("dynamodb:{}", request.operation));
        }
    }
    needed
}
