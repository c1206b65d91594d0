//! The binary of `DELETE /api/v1/groups/{id}/members/{accountId}`; the library has the handler.

fn main() -> std::process::ExitCode {
    remove_member::FUNCTION.run()
}
