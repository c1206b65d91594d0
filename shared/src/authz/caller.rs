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

/// The caller that a verified token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
    roles: Vec<Role>,
}

impl Caller {
    /// The caller with this name and these roles; `None` without a name.
    #[must_use]
    pub fn new(name: &str, roles: Vec<Role>) -> Option<Self> {
        (!name.is_empty()).then(|| Self { name: name.to_owned(), roles })
    }

    /// The name, from the claim `ACTOR_CLAIM`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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
