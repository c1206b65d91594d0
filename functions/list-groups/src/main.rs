//! The binary of `GET /api/v1/groups`; the library has the handler.

fn main() -> std::process::ExitCode {
    list_groups::FUNCTION.run()
}
