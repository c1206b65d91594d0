//! Binary of `POST /api/v1/groups`; the handler is in the library.

fn main() -> std::process::ExitCode {
    create_group::FUNCTION.run()
}
