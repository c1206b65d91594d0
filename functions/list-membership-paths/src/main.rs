//! Binary of `GET /api/v1/groups/{id}/members/{accountId}/paths`; the handler is in the library.

fn main() -> std::process::ExitCode {
    list_membership_paths::FUNCTION.run()
}
