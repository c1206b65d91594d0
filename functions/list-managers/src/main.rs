//! Binary of `GET /api/v1/groups/{id}/managers`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_managers::FUNCTION.run()
}
