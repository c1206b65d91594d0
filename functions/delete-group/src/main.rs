//! Binary of `DELETE /api/v1/groups/{id}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    delete_group::FUNCTION.run()
}
