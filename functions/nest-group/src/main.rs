//! The binary of `PUT /api/v1/groups/{id}/groups/{childId}`; the library has the handler.

fn main() -> std::process::ExitCode {
    nest_group::FUNCTION.run()
}
