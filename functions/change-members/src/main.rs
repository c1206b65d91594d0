//! The binary of `PATCH /api/v1/groups/{id}/members`; the library has the handler.

fn main() -> std::process::ExitCode {
    change_members::FUNCTION.run()
}
