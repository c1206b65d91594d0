//! Binary of the Lambda authorizer for long-lived tokens; the handler is in the library.

fn main() -> std::process::ExitCode {
    authorize_token::FUNCTION.run()
}
