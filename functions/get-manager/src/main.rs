//! Binary of `GET /api/v1/groups/{id}/managers/{managerId}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    get_manager::FUNCTION.run()
}
