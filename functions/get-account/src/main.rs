//! Binary of `GET /api/v1/accounts/{accountId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    get_account::FUNCTION.run()
}
