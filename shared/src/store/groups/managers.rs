//! Managers of groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::authz::{Administer, Granted, Read};
use crate::domain::managers::{MAX_MANAGERS, Manager};
use crate::domain::{AccountId, AccountVersion, Error, GroupId, Missing, Moment, PrincipalId, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, Key};
use crate::store::rows::{AccountItem, ManagerEntry, ManagersItem, Snapshot, State, to_row};
use crate::store::table::{Attempt, Condition, ConflictLimit, Write, unreadable};

impl Store {
    /// Returns whether an account manages a group, itself or as an effective member of a group that does. A deleted account or group
    /// manages nothing. One `BatchGetItem`; where groups manage and the account itself does not, one more for each fifty of them, side by
    /// side.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn is_manager(&self, group: &GroupId, account: &AccountId, now: Timestamp) -> Result<bool, Error> {
        let keys = [Key::managers(group), Key::account(account), Key::ends(account)];
        let rows = Snapshot::read(&self.table, &keys).await?;
        let has_ended = !rows.ends(account)?.ended(now).is_empty();
        let (Some(read), managers) = (rows.account(account)?, rows.managers(group)?) else { return Ok(false) };
        if read.active(account).is_none() {
            return Ok(false);
        }
        let ids = managers.ids()?;
        // An account whose id has the form of a group's is none of them.
        let is_listed = ids.contains(&PrincipalId::Account(account.clone()));
        let entry = managers.managers.get(account.as_str()).filter(|_| is_listed);
        if entry.is_some_and(|entry| is_current(entry, Some(read))) {
            return Ok(true);
        }
        let groups = ids.iter().filter_map(|id| match id {
            PrincipalId::Group(group) => Some(*group),
            PrincipalId::Account(_) => None,
        });
        let groups: Vec<GroupId> = groups.collect();
        let keys: Vec<Key> = groups.iter().flat_map(|it| [Key::group(it), Key::member(it, account)]).collect();
        let rows = Snapshot::read(&self.table, &keys).await?;
        let mut member_of = BTreeSet::new();
        for group in &groups {
            // A membership from before the account was deleted is about to end.
            let member = rows.member(group, account)?.filter(|member| !read.was_deleted_since(member.account_version));
            if member.is_some() && rows.group(group)?.is_some() {
                member_of.insert(*group);
            }
        }
        match has_ended {
            false => Ok(!member_of.is_empty()),
            true => Ok(!self.memberships_in_force(account, member_of, now).await?.is_empty()),
        }
    }

    /// Lists the managers of a group by id. One `BatchGetItem`, then one for their names.
    ///
    /// # Errors
    /// [`Missing::Group`].
    pub async fn list_managers(&self, _: &Granted<Read>, group: &GroupId) -> Result<Vec<Manager>, Error> {
        self.named(self.managers_of(group).await?).await
    }

    /// Returns a manager of a group. The requests of [`Store::list_managers`].
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Manager`].
    pub async fn require_manager(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        id: &PrincipalId,
    ) -> Result<Manager, Error> {
        let mut managers = self.managers_of(group).await?;
        managers.managers.retain(|text, _| *text == id.to_string());
        Ok(self.named(managers).await?.into_iter().next().ok_or(Missing::Manager)?)
    }

    /// Makes an account or a group a manager of a group. It may be one already. One `BatchGetItem` and one transaction.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Missing::Account`] or [`Missing::ManagingGroup`] for the manager; [`Error::TooManyManagers`].
    pub async fn add_manager(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        id: &PrincipalId,
        now: Timestamp,
    ) -> Result<Manager, Error> {
        let keys = [Key::group(group), Key::managers(group), key_of(id)];
        let add = || async {
            let rows = Snapshot::read(&self.table, &keys).await?;
            rows.group(group)?.ok_or(Missing::Group)?;
            let name = name_of(id, &rows)?;
            if name.is_none() {
                return Err(match id {
                    PrincipalId::Account(account) => Missing::Account(account.to_string()).into(),
                    PrincipalId::Group(manager) => Missing::ManagingGroup(manager.to_string()).into(),
                });
            }
            let read = rows.managers(group)?;
            let account = match id {
                PrincipalId::Account(account) => rows.account(account)?,
                PrincipalId::Group(_) => None,
            };
            if let Some(entry) = read.managers.get(&id.to_string()).filter(|entry| is_current(entry, account)) {
                return Ok(Attempt::Done(entry.clone().manager(id.clone(), name)));
            }
            if read.managers.len() >= MAX_MANAGERS {
                return Err(Error::TooManyManagers);
            }
            let entry = ManagerEntry { added_at: now, added_by: granted.actor().clone() };
            let mut managers = read.managers.clone();
            managers.insert(id.to_string(), entry.clone());
            let commit = self.table.transact(replace_managers(group, &read, managers)?).await?;
            Ok(commit.attempt(entry.manager(id.clone(), name)))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, add).await
    }

    /// Makes an account or a group no manager of a group. One `BatchGetItem` and one transaction.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Manager`].
    pub async fn remove_manager(
        &self,
        _: &Granted<Administer>,
        group: &GroupId,
        id: &PrincipalId,
    ) -> Result<(), Error> {
        let remove = || async {
            let read = self.managers_of(group).await?;
            let mut managers = read.managers.clone();
            managers.remove(&id.to_string()).ok_or(Missing::Manager)?;
            Ok(self.table.transact(replace_managers(group, &read, managers)?).await?.attempt(()))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, remove).await
    }

    /// The managers of a group that exists. One `BatchGetItem`.
    async fn managers_of(&self, group: &GroupId) -> Result<ManagersItem, Error> {
        let rows = Snapshot::read(&self.table, &[Key::group(group), Key::managers(group)]).await?;
        rows.group(group)?.ok_or(Missing::Group)?;
        rows.managers(group)
    }

    /// The managers with their names. One `BatchGetItem`.
    async fn named(&self, managers: ManagersItem) -> Result<Vec<Manager>, Error> {
        let ids = managers.ids()?;
        let keys: Vec<Key> = ids.iter().map(key_of).collect();
        let rows = Snapshot::read(&self.table, &keys).await?;
        let named = managers.managers.into_values().zip(ids).map(|(entry, id)| {
            let name = name_of(&id, &rows)?;
            Ok(entry.manager(id, name))
        });
        named.collect()
    }
}

impl ManagersItem {
    fn ids(&self) -> Result<Vec<PrincipalId>, Error> {
        let ids = self.managers.keys().map(|id| PrincipalId::parse(id).ok_or_else(|| unreadable("managers row")));
        ids.collect()
    }
}

impl ManagerEntry {
    fn manager(self, id: PrincipalId, name: Option<String>) -> Manager {
        let Self { added_at, added_by } = self;
        Manager { id, name, added_at, added_by }
    }
}

/// Whether a manager was added since the account was last deleted. One that has returned must be added again, as to its groups.
fn is_current(entry: &ManagerEntry, account: Option<&AccountItem>) -> bool {
    let deleted_at = account.and_then(|item| item.deleted_version).map(AccountVersion::moment);
    deleted_at.is_none_or(|at| at < Moment::from(entry.added_at))
}

/// The row of a manager.
fn key_of(id: &PrincipalId) -> Key {
    match id {
        PrincipalId::Account(id) => Key::account(id),
        PrincipalId::Group(id) => Key::group(id),
    }
}

/// The name of a manager that exists.
fn name_of(id: &PrincipalId, rows: &Snapshot) -> Result<Option<String>, Error> {
    Ok(match id {
        PrincipalId::Account(id) => rows.account(id)?.and_then(|item| item.active(id)).map(|account| account.name),
        PrincipalId::Group(id) => rows.group(id)?.map(|group| group.profile.name.as_str().to_owned()),
    })
}

/// Replaces the managers that were read, in a group that is not being deleted.
fn replace_managers(
    group: &GroupId,
    read: &ManagersItem,
    managers: BTreeMap<String, ManagerEntry>,
) -> Result<Vec<Write>, Error> {
    let unchanged = match read.revision {
        0 => Condition::row_absent(),
        revision => Condition::equals(Attribute::Revision, revision),
    };
    let item = ManagersItem { managers, revision: read.revision + 1 };
    let is_active = Condition::equals(Attribute::State, State::Active.as_str());
    Ok(vec![
        Write::Check(Key::group(group), is_active),
        Write::Put(to_row(&Key::managers(group), &item)?, Some(unchanged)),
    ])
}
