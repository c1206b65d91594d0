//! What a role allows.

use std::marker::PhantomData;

use super::{Caller, Role};

/// What a caller may be allowed to do.
pub trait Action: sealed::Sealed {
    /// Whether the policy allows it to the caller.
    fn is_allowed(policy: &Policy, caller: &Caller) -> bool;
}

/// Reading groups and members.
#[derive(Debug)]
pub struct Read;

/// Creating, changing and deleting groups, and changing who is a member.
#[derive(Debug)]
pub struct Administer;

/// Taking in what the account system tells. No caller may: see [`Granted::event_source`].
#[derive(Debug)]
pub struct Ingest;

/// Bringing what follows from a commit up to date: indirect members, copies, rows of what was deleted. Decides nothing
/// of its own. No caller may: see [`Granted::following`] and [`Granted::propagation`].
#[derive(Debug)]
pub struct Settle;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Read {}
    impl Sealed for super::Administer {}
    impl Sealed for super::Ingest {}
    impl Sealed for super::Settle {}
}

impl Action for Read {
    fn is_allowed(policy: &Policy, caller: &Caller) -> bool {
        policy.read_roles.is_empty()
            || policy.read_roles.iter().any(|role| caller.has(role))
            || Administer::is_allowed(policy, caller)
    }
}

impl Action for Administer {
    fn is_allowed(policy: &Policy, caller: &Caller) -> bool {
        caller.has(&policy.admin_role)
    }
}

impl Action for Ingest {
    fn is_allowed(_: &Policy, _: &Caller) -> bool {
        false
    }
}

impl Action for Settle {
    fn is_allowed(_: &Policy, _: &Caller) -> bool {
        false
    }
}

/// Which roles may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// May do everything.
    pub admin_role: Role,
    /// May read; when empty, every authenticated caller may.
    pub read_roles: Vec<Role>,
}

/// The caller may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

impl Policy {
    /// Decides whether the caller may.
    ///
    /// # Errors
    /// The caller lacks the role.
    pub fn authorize<A: Action>(&self, caller: &Caller) -> Result<Granted<A>, Denied> {
        if A::is_allowed(self, caller) { Ok(Granted::to(caller.subject())) } else { Err(Denied) }
    }
}

/// Proof that somebody may do `A`. Only this module makes one.
#[derive(Debug)]
pub struct Granted<A: Action> {
    actor: String,
    action: PhantomData<A>,
}

impl<A: Action> Granted<A> {
    fn to(actor: &str) -> Self {
        Self { actor: actor.to_owned(), action: PhantomData }
    }

    /// Who acts: the `sub` of the caller, or the name of the system.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }
}

impl Granted<Ingest> {
    /// What an event asks for, in the name of its source or of who asked there. Who may put events on the bus is decided
    /// there, by its policy, and not by anything in the event.
    #[must_use]
    pub fn event_source(actor: &str) -> Self {
        Self::to(actor)
    }
}

impl Granted<Settle> {
    /// What follows from something that was granted.
    #[must_use]
    pub fn following<A: Action>(granted: &Granted<A>) -> Self {
        Self::to(granted.actor())
    }

    /// What follows from what the table's stream tells of: whatever is committed there was granted, to whoever it says.
    #[must_use]
    pub fn propagation() -> Self {
        Self::on_behalf_of(None)
    }

    /// What a job does on behalf of whoever made the change that it follows from.
    #[must_use]
    pub fn on_behalf_of(actor: Option<&str>) -> Self {
        Self::to(actor.unwrap_or_default())
    }

    /// On whose behalf, where that is one and known beforehand.
    #[must_use]
    pub fn behalf(&self) -> Option<&str> {
        Some(self.actor.as_str()).filter(|actor| !actor.is_empty())
    }
}
