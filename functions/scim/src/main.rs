//! Binary of `ANY /scim/v2/{proxy+}`; the handler is in the library.

fn main() -> std::process::ExitCode {
    scim::FUNCTION.run()
}
