//! The binary of `DELETE /api/v1/groups/{id}/groups/{childId}`; the library has the handler.

fn main() -> std::process::ExitCode {
    unnest_group::FUNCTION.run()
}
