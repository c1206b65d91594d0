//! Binary of `GET /api/v1/groups/{id}/history`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_group_history::FUNCTION.run()
}
