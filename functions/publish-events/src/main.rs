//! Binary of `publish-events`, a stream consumer; the handler is in the library.

fn main() -> std::process::ExitCode {
    publish_events::FUNCTION.run()
}
