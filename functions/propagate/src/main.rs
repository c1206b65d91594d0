//! The binary of the table's stream; the library has the handler.

fn main() -> std::process::ExitCode {
    propagate::FUNCTION.run()
}
