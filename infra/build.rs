//! Links a function's release binary for a fixed address: one that can be moved has thousands of addresses in it to correct
//! at each start (docs/decisions/0023).

#[expect(clippy::disallowed_methods, reason = "what is built and for what, cargo says so")]
fn main() {
    let is = |variable: &str, expected: &str| std::env::var(variable).is_ok_and(|value| value == expected);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
