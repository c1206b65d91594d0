//! The permissions of roles.

use std::marker::PhantomData;

use super::{Caller, Role};
use crate::domain::Actor;

/// A kind of access that a policy grants or denies.
pub trait Permission: sealed::Sealed {
    /// The roles that have it. `None` where every authenticated caller has it.
    fn roles(policy: &Policy) -> Option<Vec<&Role>>;
}

/// Reading groups and members.
#[derive(Debug)]
pub struct Read;

/// Creating, changing and deleting groups, and changing their members.
#[derive(Debug)]
pub struct Administer;

/// Changing the direct members of a group.
#[derive(Debug)]
pub struct ManageMembers;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Read {}
    impl Sealed for super::ManageMembers {}
    impl Sealed for super::Administer {}
}

impl Permission for Read {
    fn roles(policy: &Policy) -> Option<Vec<&Role>> {
        let roles = policy.read_roles.iter().chain([&policy.admin_role]).collect();
        (!policy.read_roles.is_empty()).then_some(roles)
    }
}

impl Permission for Administer {
    fn roles(policy: &Policy) -> Option<Vec<&Role>> {
        Some(vec![&policy.admin_role])
    }
}

impl Permission for ManageMembers {
    fn roles(policy: &Policy) -> Option<Vec<&Role>> {
        Administer::roles(policy)
    }
}

/// Which roles have which permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The role that has every permission.
    pub admin_role: Role,
    /// The roles that may read. When empty, every authenticated caller may.
    pub read_roles: Vec<Role>,
    /// The role that an administrator also needs to change a group that is privileged, or nested in a privileged one.
    pub privileged_role: Role,
}

/// The caller lacks the permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The roles of which each has it.
    pub roles: Vec<Role>,
}

impl Policy {
    /// Decides whether the caller has the permission `P`.
    ///
    /// # Errors
    /// [`Denied`] when the caller has none of the roles.
    pub fn authorize<P: Permission>(&self, caller: &Caller) -> Result<Granted<P>, Denied> {
        if let Some(roles) = P::roles(self)
            && !roles.iter().any(|role| caller.has(role))
        {
            return Err(Denied { roles: roles.into_iter().cloned().collect() });
        }
        let may_change_guarded = caller.has(&self.privileged_role);
        Ok(Granted { actor: Actor::new(caller.name()), may_change_guarded, permission: PhantomData })
    }
}

impl Policy {
    /// Grants the change of a group's direct members to a caller who manages it, as the store found. The group may be neither privileged
    /// nor nested in a privileged one.
    pub(crate) fn grant_to_manager(caller: &Caller) -> Granted<ManageMembers> {
        Granted { actor: Actor::new(caller.name()), may_change_guarded: false, permission: PhantomData }
    }
}

/// Proof that a caller has the permission `P`. Only [`Policy`] makes one.
#[derive(Debug)]
pub struct Granted<P: Permission> {
    actor: Actor,
    may_change_guarded: bool,
    permission: PhantomData<P>,
}

impl<P: Permission> Granted<P> {
    /// The caller, by the name in the token.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether the caller has the privileged role.
    #[must_use]
    pub const fn may_change_guarded(&self) -> bool {
        self.may_change_guarded
    }
}

impl Granted<Administer> {
    /// Reading, which administrators may do.
    #[must_use]
    pub fn to_read(&self) -> Granted<Read> {
        let Self { actor, may_change_guarded, .. } = self;
        Granted { actor: actor.clone(), may_change_guarded: *may_change_guarded, permission: PhantomData }
    }

    /// The change of direct members, which administrators may make in every group.
    #[must_use]
    pub fn to_manage_members(&self) -> Granted<ManageMembers> {
        let Self { actor, may_change_guarded, .. } = self;
        Granted { actor: actor.clone(), may_change_guarded: *may_change_guarded, permission: PhantomData }
    }
}
