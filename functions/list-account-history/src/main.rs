//! Binary of `GET /api/v1/accounts/{accountId}/history`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_account_history::FUNCTION.run()
}
