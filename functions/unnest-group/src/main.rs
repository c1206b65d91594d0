//! Binary of `DELETE /api/v1/groups/{id}/groups/{childId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    unnest_group::FUNCTION.run()
}
