//! Binary of the catch-all route `$default`; the handler is in the library.

fn main() -> std::process::ExitCode {
    reject_request::FUNCTION.run()
}
