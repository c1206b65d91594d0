//! The binary of the queue of events that come in; the library has the handler.

fn main() -> std::process::ExitCode {
    apply_events::FUNCTION.run()
}
