//! Binary of `DELETE /api/v1/groups/{id}/members/{accountId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    remove_member::FUNCTION.run()
}
