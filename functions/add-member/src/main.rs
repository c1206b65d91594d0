//! Binary of `PUT /api/v1/groups/{id}/members/{accountId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    add_member::FUNCTION.run()
}
