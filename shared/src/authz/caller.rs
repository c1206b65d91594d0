//! Who calls.

/// A role's name, as the identity provider spells it: any text without spaces, control characters and brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role(String);

impl Role {
    /// Reads a role's name; `None` for one that the gateway's flattened form could not tell apart.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let separates = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']');
        (!text.is_empty() && !text.contains(separates)).then(|| Self(text.to_owned()))
    }

    /// The role's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whoever the verified token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    roles: Vec<Role>,
}

impl Caller {
    /// The caller with this `sub` and these roles; `None` without a `sub`.
    #[must_use]
    pub fn new(subject: &str, roles: Vec<Role>) -> Option<Self> {
        (!subject.is_empty()).then(|| Self { subject: subject.to_owned(), roles })
    }

    /// The token's `sub`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the caller has the role, by exact name.
    #[must_use]
    pub fn has(&self, role: &Role) -> bool {
        self.roles.contains(role)
    }
}

/// Reads a roles claim as API Gateway hands it on: one value as it is, a list flattened to `[a b]`. Anything else gives
/// no role at all. A list's names cannot hold spaces: `["Not Administrator"]` arrives exactly as
/// `["Not", "Administrator"]` does.
#[must_use]
pub fn read_roles_claim(claim: &str) -> Vec<Role> {
    let list = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let roles: Option<Vec<Role>> = match list {
        Some(names) => names.split(' ').map(Role::parse).collect(),
        None => Role::parse(claim).map(|role| vec![role]),
    };
    roles.unwrap_or_default()
}
