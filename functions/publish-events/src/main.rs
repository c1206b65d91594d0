//! The binary of the stream consumer `publish-events`; the library has the handler.

fn main() -> std::process::ExitCode {
    publish_events::FUNCTION.run()
}
