//! The functions of the workspace.

use std::collections::BTreeSet;

use shared::app::{App, ApplyEventsDeps, Function, PublishEventsDeps, QueueFunction, StreamFunction};

use crate::Problem;
use crate::template::Template;

/// Every function behind a route; those of the template must be these and no others.
pub const FUNCTIONS: [Function; 13] = [
    add_member::FUNCTION,
    change_members::FUNCTION,
    create_group::FUNCTION,
    delete_group::FUNCTION,
    get_group::FUNCTION,
    get_member::FUNCTION,
    list_groups::FUNCTION,
    list_members::FUNCTION,
    list_nested_groups::FUNCTION,
    nest_group::FUNCTION,
    remove_member::FUNCTION,
    unnest_group::FUNCTION,
    update_group::FUNCTION,
];

/// The function on the table's stream that brings what follows from a commit up to date.
pub const PROPAGATE: StreamFunction<App> = propagate::FUNCTION;

/// The function on the table's stream that tells other systems.
pub const PUBLISH_EVENTS: StreamFunction<PublishEventsDeps> = publish_events::FUNCTION;

/// The function on the queue of events that come in.
pub const APPLY_EVENTS: QueueFunction<ApplyEventsDeps> = apply_events::FUNCTION;

/// Holds the routes and sources of the template against the functions there are.
///
/// # Errors
/// A route or a source of a function that does not exist, or a function without one.
pub fn check_routes(template: &Template) -> Result<(), Problem> {
    let routed: BTreeSet<&str> = template.routes.iter().map(|route| route.function.as_str()).collect();
    let known: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    if let Some(route) = template.routes.iter().find(|route| !known.contains(route.function.as_str())) {
        let (method, path, function) = (&route.method, &route.path, &route.function);
        return Err(Problem(format!("template.yaml routes {method} {path} to {function}, which is no function here")));
    }
    template.stream_of(PROPAGATE.name)?;
    template.stream_of(PUBLISH_EVENTS.name)?;
    if template.streams.len() > 2 || template.queue.function != APPLY_EVENTS.name {
        return Err(Problem("template.yaml has a function on the stream or the queue that is none here".into()));
    }
    match known.difference(&routed).next() {
        Some(function) => Err(Problem(format!("template.yaml has no route to the function {function}"))),
        None => Ok(()),
    }
}
