//! Binary of `GET /api/v1/groups`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_groups::FUNCTION.run()
}
