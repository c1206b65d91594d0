//! Binary of `expire-members`, a scheduled function; the handler is in the library.

fn main() -> std::process::ExitCode {
    expire_members::FUNCTION.run()
}
