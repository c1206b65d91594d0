//! Binary of `DELETE /api/v1/groups/{id}/managers/{managerId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    remove_manager::FUNCTION.run()
}
