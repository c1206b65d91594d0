//! Binary of `PUT /api/v1/groups/{id}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    update_group::FUNCTION.run()
}
