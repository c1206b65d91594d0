//! The binary of `GET /api/v1/groups/{id}/groups`; the library has the handler.

fn main() -> std::process::ExitCode {
    list_nested_groups::FUNCTION.run()
}
