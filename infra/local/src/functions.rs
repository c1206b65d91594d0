//! The one list of the workspace's functions. The local server, the OpenAPI document and the tests read it.

use std::collections::BTreeSet;

pub use reject_request::PATHS;
use shared::api::operation::Operation;
use shared::app::{
    App, ApplyEventsDeps, AuthorizeTokenDeps, AuthorizerFunction, ExpireMembersDeps, Function, PublishEventsDeps,
    QueueFunction, ScheduledFunction, StreamFunction,
};

use crate::Problem;
use crate::template::Template;

/// A function behind a route, and its description in the OpenAPI document.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The function.
    pub function: Function,
    /// Its description.
    pub operation: Operation,
}

/// Makes the lists of endpoints from the names of their crates.
macro_rules! endpoints {
    ($($endpoint:ident),* $(,)?) => {
        const COUNT: usize = [$(stringify!($endpoint)),*].len();

        /// Every function behind a route, with its description, by name.
        pub const ENDPOINTS: [Endpoint; COUNT] =
            [$(Endpoint { function: $endpoint::FUNCTION, operation: $endpoint::OPERATION }),*];

        /// The functions of [`ENDPOINTS`].
        pub const FUNCTIONS: [Function; COUNT] = [$($endpoint::FUNCTION),*];
    };
}

endpoints![
    add_manager,
    add_member,
    change_members,
    check_memberships,
    create_group,
    delete_group,
    get_account,
    get_group,
    get_manager,
    get_member,
    list_account_groups,
    list_account_history,
    list_accounts,
    list_group_history,
    list_groups,
    list_managers,
    list_members,
    list_membership_paths,
    list_nested_groups,
    list_parents,
    nest_group,
    remove_manager,
    remove_member,
    unnest_group,
    update_group,
];

/// The function of another protocol, behind routes that take every method and every path below theirs.
pub const SCIM: Function = scim::FUNCTION;

/// The Lambda authorizer for long-lived tokens.
pub const AUTHORIZE_TOKEN: AuthorizerFunction<AuthorizeTokenDeps> = authorize_token::FUNCTION;

/// Returns the function behind a route by its name.
#[must_use]
pub fn routed(name: &str) -> Option<Function> {
    FUNCTIONS.into_iter().chain([SCIM]).find(|function| function.name == name)
}

/// The function of the catch-all route.
pub const REJECT_REQUEST: Function = reject_request::FUNCTION;

/// The stream consumer that updates inherited members, account copies and search rows after each write.
pub const PROPAGATE: StreamFunction<App> = propagate::FUNCTION;

/// The stream consumer that publishes events.
pub const PUBLISH_EVENTS: StreamFunction<PublishEventsDeps> = publish_events::FUNCTION;

/// The function on the queue of incoming events.
pub const APPLY_EVENTS: QueueFunction<ApplyEventsDeps> = apply_events::FUNCTION;

/// The scheduled function.
pub const EXPIRE_MEMBERS: ScheduledFunction<ExpireMembersDeps> = expire_members::FUNCTION;

/// Checks that the template's routes and event sources are those of the functions here.
///
/// # Errors
/// A route or a source names an unknown function, or a function has none.
pub fn check_routes(template: &Template) -> Result<(), Problem> {
    let routed: BTreeSet<&str> = template.routes.iter().map(|route| route.function.as_str()).collect();
    let known: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).chain([SCIM.name]).collect();
    if let Some(route) = template.routes.iter().find(|route| !known.contains(route.function.as_str())) {
        let (method, path, function) = (&route.method, &route.path, &route.function);
        return Err(Problem(format!("template.yaml routes {method} {path} to {function}, which is no function here")));
    }
    if template.default_function != REJECT_REQUEST.name {
        return Err(Problem("template.yaml's catch-all route is to a function that is none here".into()));
    }
    template.stream_of(PROPAGATE.name)?;
    template.stream_of(PUBLISH_EVENTS.name)?;
    if template.streams.len() > 2 || template.queue.function != APPLY_EVENTS.name {
        return Err(Problem("template.yaml has a function on the stream or the queue that is none here".into()));
    }
    if template.schedule.function != EXPIRE_MEMBERS.name {
        return Err(Problem("template.yaml has a schedule of a function that is none here".into()));
    }
    match known.difference(&routed).next() {
        Some(function) => Err(Problem(format!("template.yaml has no route to the function {function}"))),
        None => Ok(()),
    }
}
