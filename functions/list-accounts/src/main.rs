//! Binary of `GET /api/v1/accounts`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_accounts::FUNCTION.run()
}
