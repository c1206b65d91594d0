//! Binary of `GET /api/v1/groups/{id}/parents`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_parents::FUNCTION.run()
}
