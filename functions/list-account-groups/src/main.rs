//! Binary of `GET /api/v1/accounts/{accountId}/groups`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_account_groups::FUNCTION.run()
}
