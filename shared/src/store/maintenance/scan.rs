//! The whole table, row by row, for `verify`. No call of the API reads this way.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;

use crate::domain::{Account, AccountId, AccountVersion, Edge, Error, GroupId, Job, JobKind, Membership, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::members::{DueMembership, shard_of};
use crate::store::rows::{
    AnyRow, CountShard, ExternalIdItem, GroupCounts, GroupItem, ShardCounts, account_texts, decode_row,
    external_id_row, from_row, list_entries, search_rows,
};

/// The content of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannedRow {
    /// A group.
    Group(GroupId, ScannedGroup),
    /// A member of a group.
    Member(GroupId, AccountId, ScannedMember),
    /// An edge, in the parent's partition.
    Child(Edge),
    /// A count shard, its revision, and whether it has the guard's mark.
    Count(CountShard, ShardCounts, i64, bool),
    /// An edge, in the child's partition.
    Parent(Edge),
    /// An account.
    Account(AccountId, ScannedAccount),
    /// The mirror of a member, and whether it is a direct one.
    Mirror(AccountId, GroupId, bool),
    /// The membership in an audit record.
    AuditRecord(GroupId, AccountId, Option<Membership>),
    /// When a membership starts that is scheduled.
    Schedule(GroupId, AccountId, Timestamp),
    /// When a direct membership ends, as noted for its account.
    End(GroupId, AccountId, Timestamp),
    /// A membership that the sweep looks at from a time on.
    Due(DueMembership),
    /// A group's list entry, one of its search rows, or the row of its external id.
    Name(GroupId, RowsDigest),
    /// A row by which an account is listed and found.
    AccountText(AccountId, RowsDigest),
    /// A job.
    Job(Job),
    /// A row or an attribute that a group has in a table of the first design.
    FirstDesignGroup(GroupId),
    /// A job in a table of the first design.
    FirstDesignJob(JobKind),
    /// A row that cannot be decoded, by its key.
    Unreadable(String),
}

/// The row of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannedGroup {
    /// Whether the group is not being deleted.
    pub is_active: bool,
    /// Whether it is active and privileged.
    pub is_privileged: bool,
    /// Whether it has the guard's mark.
    pub has_mark: bool,
    /// The digest that its list entry and search rows should have; `None` while its row says that they are incomplete.
    pub name: Option<RowsDigest>,
    /// The counts in its row, of which the members' are copies.
    pub counts: GroupCounts,
    /// The sum of the shards' revisions when the members' counts were copied.
    pub counted_revision: i64,
}

/// The row of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedAccount {
    /// The account; `None` for a deleted one.
    pub account: Option<Account>,
    /// The version at which it was last deleted.
    pub deleted_version: Option<AccountVersion>,
    /// The digest that the rows by which it is found should have.
    pub texts: RowsDigest,
}

/// The row of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedMember {
    /// How the account is a member.
    pub membership: Membership,
    /// When a direct membership ends.
    pub expires_at: Option<Timestamp>,
    /// The copies of the account's fields.
    pub copies: Account,
    /// The number of the group's count shard that counts it.
    pub shard: usize,
}

/// A digest of rows in any order: their content in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowsDigest {
    rows: u64,
    sum: u64,
}

impl RowsDigest {
    fn of(row: &Attributes) -> Self {
        let mut row: Vec<String> = row.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        row.sort_unstable();
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        Self { rows: 1, sum: hasher.finish() }
    }
}

impl AddAssign for RowsDigest {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl Store {
    /// Returns the content of every row. A `Scan`: its cost grows with the table, and a change during it may be seen in part.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn scan(&self) -> Result<Vec<ScannedRow>, Error> {
        self.table.scan(scan_row).await
    }
}

fn scan_row(row: Attributes, scanned: &mut Vec<ScannedRow>) {
    let Some(key) = Key::from_row(&row) else { return };
    if let Some(group) = group_of_name(&key, &row) {
        return scanned.push(ScannedRow::Name(group, RowsDigest::of(&row)));
    }
    if let Some((_, account)) = key.as_account_text() {
        return scanned.push(ScannedRow::AccountText(account, RowsDigest::of(&row)));
    }
    if let Some((at, group, account)) = key.as_due() {
        return scanned.push(ScannedRow::Due(DueMembership { at, group, account }));
    }
    if let Some(group) = key.as_first_design_name() {
        return scanned.push(ScannedRow::FirstDesignGroup(group));
    }
    if let Some(job) = key.as_first_design_job() {
        return scanned.push(ScannedRow::FirstDesignJob(job));
    }
    let is_old = |group: &GroupId| {
        let has_old = Attribute::FIRST_DESIGN.iter().any(|attribute| row.contains_key(attribute.as_str()));
        has_old.then_some(ScannedRow::FirstDesignGroup(*group))
    };
    scanned.extend(key.as_group().as_ref().and_then(is_old));
    match decode_row(&key, row).and_then(|row| content(&key, &row)) {
        Ok(rows) => scanned.extend(rows),
        Err(_) => scanned.push(ScannedRow::Unreadable(format!("{key:?}"))),
    }
}

/// The group that a list entry, a search row or the row of an external id belongs to.
pub(super) fn group_of_name(key: &Key, row: &Attributes) -> Option<GroupId> {
    if key.is_external_id() {
        return from_row(row.clone()).ok().map(|(_, ExternalIdItem { group_id })| group_id);
    }
    key.as_list_entry().or_else(|| key.as_search_row()).map(|(_, group)| group)
}

fn content(key: &Key, row: &AnyRow) -> Result<Vec<ScannedRow>, Error> {
    Ok(vec![match row {
        AnyRow::Group(id, item) => ScannedRow::Group(*id, scanned_group(key, item)?),
        AnyRow::Member(group, account, item) => {
            let copies = item.clone().member(account.clone()).account;
            ScannedRow::Member(
                *group,
                account.clone(),
                ScannedMember {
                    membership: item.membership(),
                    expires_at: item.ends_at.filter(|_| item.direct),
                    copies,
                    shard: shard_of(account),
                },
            )
        }
        AnyRow::Count(shard, item) => ScannedRow::Count(*shard, item.counts(), item.revision, item.guard),
        AnyRow::Child(parent, item) => ScannedRow::Child(Edge { parent: *parent, id: item.edge_id }),
        AnyRow::Nesting(item) => return Ok(item.edges().into_iter().map(ScannedRow::Parent).collect()),
        AnyRow::Account(id, item) => {
            let (account, mut texts) = (item.active(id), RowsDigest::default());
            item.provisioned(id).iter().flat_map(account_texts).for_each(|row| texts += RowsDigest::of(&row));
            let scanned = ScannedAccount { account, deleted_version: item.deleted_version, texts };
            ScannedRow::Account(id.clone(), scanned)
        }
        AnyRow::Mirror(account, group, item) => ScannedRow::Mirror(account.clone(), *group, item.direct),
        AnyRow::Audit(group, account, item) => {
            let schedule = item.starts_at.map(|at| ScannedRow::Schedule(*group, account.clone(), at));
            let membership = ScannedRow::AuditRecord(*group, account.clone(), item.membership());
            return Ok([membership].into_iter().chain(schedule).collect());
        }
        AnyRow::Ends(item) => {
            let Some(account) = key.as_ends() else { return Ok(Vec::new()) };
            return Ok(item.all().map(|(group, at)| ScannedRow::End(group, account.clone(), at)).collect());
        }
        AnyRow::Job(job) => ScannedRow::Job(job.clone()),
        AnyRow::Managers(_) | AnyRow::Other => return Ok(Vec::new()),
    }])
}

fn scanned_group(key: &Key, item: &GroupItem) -> Result<ScannedGroup, Error> {
    let group = item.active(key)?;
    let mut scanned = ScannedGroup {
        is_active: group.is_some(),
        is_privileged: item.is_privileged(),
        has_mark: item.guard.is_some(),
        name: None,
        counts: item.counts(),
        counted_revision: item.counted_revision,
    };
    if let Some(group) = group.filter(|_| !item.name_pending) {
        let mut name = RowsDigest::default();
        let rows = list_entries(&group.id, &group.profile).into_iter().chain(search_rows(&group.id, &group.profile)?);
        rows.for_each(|row| name += RowsDigest::of(&row));
        if let Some(id) = &group.profile.external_id {
            name += RowsDigest::of(&external_id_row(id, &group.id)?);
        }
        scanned.name = Some(name);
    }
    Ok(scanned)
}
