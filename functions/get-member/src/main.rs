//! The binary of `GET /api/v1/groups/{id}/members/{accountId}`; the library has the handler.

fn main() -> std::process::ExitCode {
    get_member::FUNCTION.run()
}
