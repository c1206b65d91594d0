//! The binary of `GET /api/v1/groups/{id}/members`; the library has the handler.

fn main() -> std::process::ExitCode {
    list_members::FUNCTION.run()
}
