//! Configuration of the authorizer of long-lived tokens.

use std::collections::BTreeMap;

use super::{ConfigError, environment, list, non_blank};
use crate::authz::Role;

/// The configuration of authorize-token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeTokenConfig {
    /// `TOKEN_DIGEST` and `FORMER_TOKEN_DIGEST` (each may be empty): the SHA-256 of each accepted token, in hexadecimal digits.
    pub digests: Vec<[u8; 32]>,
    /// `ACTOR_CLAIM` with `TOKEN_ACTOR`, and `ROLES_CLAIM` with `TOKEN_ROLES` (comma-separated): the claims of a caller with such a token.
    pub claims: BTreeMap<String, String>,
}

impl AuthorizeTokenConfig {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut digests = Vec::new();
        for name in ["TOKEN_DIGEST", "FORMER_TOKEN_DIGEST"] {
            match get(name).ok_or(ConfigError { name, reason: "is not set" })?.trim() {
                "" => {}
                text => digests
                    .push(parse_digest(text).ok_or(ConfigError { name, reason: "is not 64 hexadecimal digits" })?),
            }
        }
        let name = "TOKEN_ROLES";
        let roles = non_blank(&get, name)?;
        let roles: Option<Vec<Role>> = list(&roles).map(Role::parse).collect();
        let roles = roles.ok_or(ConfigError { name, reason: "holds a role with a space or a bracket" })?;
        let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
        let claims = BTreeMap::from([
            (non_blank(&get, "ROLES_CLAIM")?, format!("[{}]", roles.join(" "))),
            (non_blank(&get, "ACTOR_CLAIM")?, non_blank(&get, "TOKEN_ACTOR")?),
        ]);
        Ok(Self { digests, claims })
    }
}

/// Parses 64 hexadecimal digits.
fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |index: usize| u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..32).filter_map(byte).collect();
    bytes.try_into().ok().filter(|_| is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";

    fn read(digest: Option<&str>, roles: &str) -> Result<AuthorizeTokenConfig, String> {
        let variable = |name: &str| match name {
            "TOKEN_DIGEST" => Some(DIGEST.to_owned()),
            "FORMER_TOKEN_DIGEST" => digest.map(str::to_owned),
            "TOKEN_ROLES" => Some(roles.to_owned()),
            "TOKEN_ACTOR" => Some("robot".to_owned()),
            "ROLES_CLAIM" => Some("roles".to_owned()),
            "ACTOR_CLAIM" => Some("sub".to_owned()),
            _ => None,
        };
        AuthorizeTokenConfig::from_variables(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn digests_and_claims_are_read() {
        let config = read(Some(""), "Administrator, Guardian").unwrap();
        assert_eq!(config.digests.len(), 1, "an empty parameter adds none");
        assert_eq!((config.digests[0][0], config.digests[0][31]), (0x9f, 0x08));
        assert_eq!(config.claims["roles"], "[Administrator Guardian]");
        assert_eq!(config.claims["sub"], "robot");
        assert_eq!(read(Some(DIGEST), "Administrator").unwrap().digests.len(), 2);
    }

    #[test]
    fn malformed_digest_or_role_is_named() {
        for text in ["abc", &DIGEST[1..], &format!("{DIGEST}0"), &DIGEST.replace('F', "g")] {
            let error = read(Some(text), "Administrator").unwrap_err();
            assert_eq!(error, "environment variable FORMER_TOKEN_DIGEST is not 64 hexadecimal digits");
        }
        assert_eq!(read(None, "a").unwrap_err(), "environment variable FORMER_TOKEN_DIGEST is not set");
        assert_eq!(
            read(Some(""), "a b").unwrap_err(),
            "environment variable TOKEN_ROLES holds a role with a space or a bracket"
        );
        assert_eq!(read(Some(""), " ").unwrap_err(), "environment variable TOKEN_ROLES is empty");
    }
}
