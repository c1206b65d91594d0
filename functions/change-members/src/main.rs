//! Binary of `PATCH /api/v1/groups/{id}/members`; the handler is in the library.

fn main() -> std::process::ExitCode {
    change_members::FUNCTION.run()
}
