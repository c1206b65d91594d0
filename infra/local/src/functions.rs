//! The functions of the workspace.

use std::collections::BTreeSet;

use shared::app::{Function, StreamFunction};

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

/// The function on the table's stream.
pub const STREAM_FUNCTION: StreamFunction = propagate::FUNCTION;

/// Holds the routes of the template against the functions there are.
///
/// # Errors
/// A route to a function that does not exist, or a function without a route.
pub fn check_routes(template: &Template) -> Result<(), Problem> {
    let routed: BTreeSet<&str> = template.routes.iter().map(|route| route.function.as_str()).collect();
    let known: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    if let Some(route) = template.routes.iter().find(|route| !known.contains(route.function.as_str())) {
        let (method, path, function) = (&route.method, &route.path, &route.function);
        return Err(Problem(format!("template.yaml routes {method} {path} to {function}, which is no function here")));
    }
    if template.stream.function != STREAM_FUNCTION.name {
        let function = &template.stream.function;
        return Err(Problem(format!(
            "template.yaml has {function} work through the stream, which is no function here"
        )));
    }
    match known.difference(&routed).next() {
        Some(function) => Err(Problem(format!("template.yaml has no route to the function {function}"))),
        None => Ok(()),
    }
}
