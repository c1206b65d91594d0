//! The binary of `DELETE /api/v1/groups/{id}`; the library has the handler.

fn main() -> std::process::ExitCode {
    delete_group::FUNCTION.run()
}
