//! The binary of `PUT /api/v1/groups/{id}/members/{accountId}`; the library has the handler.

fn main() -> std::process::ExitCode {
    add_member::FUNCTION.run()
}
