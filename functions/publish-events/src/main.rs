//! The binary of events that go out; the library has the handler.

fn main() -> std::process::ExitCode {
    publish_events::FUNCTION.run()
}
