//! The binary of the stream consumer `propagate`; the library has the handler.

fn main() -> std::process::ExitCode {
    propagate::FUNCTION.run()
}
