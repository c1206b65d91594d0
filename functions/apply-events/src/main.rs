//! Binary of `apply-events`, which reads the queue of incoming events; the handler is in the library.

fn main() -> std::process::ExitCode {
    apply_events::FUNCTION.run()
}
