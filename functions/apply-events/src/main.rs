//! The binary on the queue of incoming events; the library has the handler.

fn main() -> std::process::ExitCode {
    apply_events::FUNCTION.run()
}
