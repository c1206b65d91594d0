//! Binary of `POST /api/v1/accounts/{accountId}/check`; the handler is in the library.

fn main() -> std::process::ExitCode {
    check_memberships::FUNCTION.run()
}
