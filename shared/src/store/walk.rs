//! The whole table, row by row: for `verify`, which compares everything with everything. Nothing else reads this way.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Store;
use super::items::{
    AccountItem, GroupItem, MemberItem, MembershipItem, TrailItem, from_row, read_edge_id, read_job, read_parents,
};
use super::keys::{Attributes, Key};
use super::search::suffix_rows;
use crate::authz::{Granted, Settle};
use crate::aws::retry::{internal, is_retryable, send_with_retry};
use crate::domain::{Account, AccountId, AccountVersion, Edge, EdgeId, Error, GroupId, Job, Membership};

/// Parts of the table that are walked side by side.
const SEGMENTS: i32 = 4;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A group.
    Group(GroupId, GroupFact),
    /// A member of a group.
    Member(GroupId, AccountId, MemberFact),
    /// A nesting, as the parent's partition has it.
    Child(Edge),
    /// A nesting, as the child's partition has it.
    Parent(Edge),
    /// An account.
    Account(AccountId, AccountFact),
    /// The mirror of a member, and whether it says that the member is a direct one.
    Membership(AccountId, GroupId, bool),
    /// How an account is a member of a group, as the membership's trail has it.
    Trail(GroupId, AccountId, Option<Membership>),
    /// A part of a group's name, as a digest.
    Suffix(GroupId, Digest),
    /// A job.
    Job(Job),
    /// A row that cannot be read, by its key.
    Unreadable(String),
}

/// What a group's row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupFact {
    /// It is not being deleted.
    pub is_active: bool,
    /// All parts of its name as they should be, as a digest; `None` while they are not all there as the group says.
    pub name: Option<Digest>,
    /// Its counts.
    pub counts: Counts,
}

/// Stands for rows, in whatever order they come: what they say, in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    rows: u64,
    sum: u64,
}

impl Digest {
    fn of_suffix(row: &Attributes) -> Self {
        let mut row: Vec<String> = row.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        row.sort_unstable();
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        Self { rows: 1, sum: hasher.finish() }
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// What an account's row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFact {
    /// The account; `None` for one that is deleted.
    pub account: Option<Account>,
    /// At which version it was last deleted.
    pub deleted_version: Option<AccountVersion>,
}

/// What a group counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Members.
    pub members: u64,
    /// Direct members.
    pub direct_members: u64,
    /// Groups nested directly in it.
    pub nested_groups: u64,
}

/// What a member's row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFact {
    /// It was added to the group itself.
    pub direct: bool,
    /// The nestings that it comes through.
    pub via: BTreeSet<EdgeId>,
    /// Copies of the account's fields.
    pub copies: Account,
}

impl Store {
    /// Every row that says something. A `Scan`: its cost grows with the table, and what changes meanwhile may be seen
    /// half.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn facts(&self, _: &Granted<Settle>) -> Result<Vec<Fact>, Error> {
        let segments = stream::iter((0..SEGMENTS).map(|segment| self.segment(segment)));
        let parts: Vec<Vec<Fact>> = segments.buffer_unordered(SEGMENTS.unsigned_abs() as usize).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    #[expect(clippy::disallowed_methods, reason = "verify looks at all rows; no call of the API does")]
    async fn segment(&self, segment: i32) -> Result<Vec<Fact>, Error> {
        const OPERATION: &str = "Scan";
        let request = self.table.client.scan().table_name(&*self.table.name).consistent_read(true);
        let request = request.segment(segment).total_segments(SEGMENTS);
        let (mut facts, mut start) = (Vec::new(), None);
        loop {
            let request = request.clone().set_exclusive_start_key(start);
            let sent =
                send_with_retry(OPERATION, self.table.deadline(), is_retryable, || request.clone().send()).await?;
            let output = sent.map_err(internal(OPERATION))?;
            for row in output.items.unwrap_or_default() {
                read(row, &mut facts);
            }
            start = output.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(facts);
            }
        }
    }
}

fn read(row: Attributes, facts: &mut Vec<Fact>) {
    let Some(key) = Key::of_row(&row) else { return };
    match facts_of(&key, row) {
        Ok(found) => facts.extend(found),
        Err(_) => facts.push(Fact::Unreadable(format!("{key:?}"))),
    }
}

fn facts_of(key: &Key, row: Attributes) -> Result<Vec<Fact>, Error> {
    if let Some(id) = key.as_group() {
        return Ok(vec![Fact::Group(id, group_fact(key, row)?)]);
    }
    if let Some((group, account)) = key.as_member() {
        let (_, item): (_, MemberItem) = from_row(row)?;
        let (direct, via) = (item.direct, item.via.clone());
        let copies = item.member(key)?.account;
        return Ok(vec![Fact::Member(group, account, MemberFact { direct, via, copies })]);
    }
    if let Some((parent, _)) = key.as_child() {
        let id = read_edge_id(Some(row))?;
        return Ok(id.map(|id| Fact::Child(Edge { parent, id })).into_iter().collect());
    }
    if key.as_nesting().is_some() {
        return Ok(read_parents(Some(row))?.into_iter().map(Fact::Parent).collect());
    }
    if let Some(id) = key.as_account() {
        let (key, item): (_, AccountItem) = from_row(row)?;
        let deleted_version = item.deleted_version;
        return Ok(vec![Fact::Account(id, AccountFact { account: item.account(&key)?, deleted_version })]);
    }
    if let Some((account, group)) = key.as_membership() {
        let (_, MembershipItem { direct }) = from_row(row)?;
        return Ok(vec![Fact::Membership(account, group, direct)]);
    }
    if let Some((group, account)) = key.as_trail() {
        let (_, item): (_, TrailItem) = from_row(row)?;
        return Ok(vec![Fact::Trail(group, account, item.membership())]);
    }
    if let Some((group, _)) = key.as_suffix() {
        return Ok(vec![Fact::Suffix(group, Digest::of_suffix(&row))]);
    }
    if key.as_job().is_some() {
        return Ok(vec![Fact::Job(read_job(row)?)]);
    }
    Ok(Vec::new())
}

fn group_fact(key: &Key, row: Attributes) -> Result<GroupFact, Error> {
    let (_, item): (_, GroupItem) = from_row(row)?;
    let (counts, name_pending) = (item.counts(), item.name_pending);
    let group = item.active(key)?;
    let mut fact = GroupFact { is_active: group.is_some(), name: None, counts };
    if let Some(group) = group.filter(|_| !name_pending) {
        let mut name = Digest::default();
        suffix_rows(&group.id, &group.profile.name)?.iter().for_each(|row| name += Digest::of_suffix(row));
        fact.name = Some(name);
    }
    Ok(fact)
}
