//! Binary of `propagate`, a stream consumer; the handler is in the library.

fn main() -> std::process::ExitCode {
    propagate::FUNCTION.run()
}
