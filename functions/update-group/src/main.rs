//! The binary of `PUT /api/v1/groups/{id}`; the library has the handler.

fn main() -> std::process::ExitCode {
    update_group::FUNCTION.run()
}
