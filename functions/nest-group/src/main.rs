//! Binary of `PUT /api/v1/groups/{id}/groups/{childId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    nest_group::FUNCTION.run()
}
