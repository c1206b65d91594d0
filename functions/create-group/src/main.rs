//! The binary of `POST /api/v1/groups`; the library has the handler.

fn main() -> std::process::ExitCode {
    create_group::FUNCTION.run()
}
