//! Binary of `GET /api/v1/groups/{id}/members`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_members::FUNCTION.run()
}
