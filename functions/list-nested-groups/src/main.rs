//! Binary of `GET /api/v1/groups/{id}/groups`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_nested_groups::FUNCTION.run()
}
