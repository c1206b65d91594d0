//! The caller of a request.

/// The name of a role, as the identity provider spells it: any text without spaces, control characters and brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role(String);

impl Role {
    /// Parses the name of a role; `None` for one that would be ambiguous in the gateway's flattened list.
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

/// The subject of a verified token.
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

/// Parses a roles claim in API Gateway's form: one value as it is, a list flattened to `[a b]`. Any other text has no
/// roles. Names in a list cannot have spaces: `["Not Administrator"]` arrives exactly as `["Not", "Administrator"]` does.
#[must_use]
pub fn read_roles_claim(claim: &str) -> Vec<Role> {
    let list = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let roles: Option<Vec<Role>> = match list {
        Some(names) => names.split(' ').map(Role::parse).collect(),
        None => Role::parse(claim).map(|role| vec![role]),
    };
    roles.unwrap_or_default()
}
