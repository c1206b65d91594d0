//! Binary of `GET /api/v1/groups/{id}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    get_group::FUNCTION.run()
}
