//! The binary of `GET /api/v1/groups/{id}`; the library has the handler.

fn main() -> std::process::ExitCode {
    get_group::FUNCTION.run()
}
