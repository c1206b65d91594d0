//! Links a function's release binary for a fixed address. A relocatable one corrects thousands of addresses at each start
//! (docs/decisions/0023).

#[expect(clippy::disallowed_methods, reason = "cargo passes the profile and the target in variables")]
fn main() {
    let is = |variable: &str, expected: &str| std::env::var(variable).is_ok_and(|value| value == expected);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
