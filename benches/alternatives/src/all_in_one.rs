//! All routes in one binary, as one function behind all of them would have it; `ROUTE` names the one that it is asked for
//! (docs/decisions/0019).

use std::process::ExitCode;

use shared::app::Function;

const FUNCTIONS: [Function; 13] = [
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

#[expect(clippy::disallowed_methods, reason = "no deployment has it")]
fn main() -> ExitCode {
    let route = std::env::var("ROUTE").unwrap_or_default();
    let function = FUNCTIONS.iter().find(|function| function.name == route);
    function.map_or(ExitCode::FAILURE, |function| function.run())
}
