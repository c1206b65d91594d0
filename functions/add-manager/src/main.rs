//! Binary of `PUT /api/v1/groups/{id}/managers/{managerId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    add_manager::FUNCTION.run()
}
