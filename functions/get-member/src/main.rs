//! Binary of `GET /api/v1/groups/{id}/members/{accountId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    get_member::FUNCTION.run()
}
