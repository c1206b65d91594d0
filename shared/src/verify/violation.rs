//! Contradictions between rows, and their lines in a report.

use std::fmt;

use crate::domain::{AccountId, Edge, GroupId, Job, JobKind};
use crate::store::{CountShard, GroupCounts, ShardCounts};

/// A contradiction between rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InvariantViolation {
    /// Invariant 1: a member row that should not be there, or is missing.
    Membership {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// Whether the row is there.
        stored: bool,
    },
    /// Invariant 2: a count shard that differs from the number of its rows.
    Shard {
        /// The shard.
        shard: CountShard,
        /// Its revision, by which a repair recognizes that it has not changed.
        revision: i64,
        /// Whether the group's row can be read. A shard without a group is deleted.
        has_group: bool,
        /// The stored counts.
        stored: ShardCounts,
        /// The counted rows.
        right: ShardCounts,
    },
    /// Invariant 2: counts in a group's row that differ from the number of rows.
    Counts {
        /// The group.
        group: GroupId,
        /// The stored counts.
        stored: GroupCounts,
        /// The counted rows.
        right: GroupCounts,
    },
    /// Invariant 2: the counts in a group's row are not copies of its present shards. The stream copies them after each change.
    StaleCounts(GroupId),
    /// Invariant 3: a member whose mirror is missing or differs, or a mirror without a member.
    Mirror(GroupId, AccountId),
    /// Invariant 4: a member is inherited through an edge and should not be, or the reverse.
    Via {
        /// The edge.
        edge: Edge,
        /// The account.
        account: AccountId,
        /// Whether the member row has the edge.
        stored: bool,
    },
    /// Invariant 5: these groups are nested in a cycle.
    Cycle(Vec<GroupId>),
    /// Invariant 6: copies that differ from the account's fields.
    Copies(GroupId, AccountId),
    /// Invariant 8: an audit record that differs from the member row.
    AuditRecord(GroupId, AccountId),
    /// Invariant 7: a list entry or search rows that differ from the group's name.
    Name(GroupId),
    /// Invariant 7: rows by which an account is listed and found that differ from its name and address.
    AccountTexts(AccountId),
    /// Invariant 9: a group nested in a privileged one that lacks the mark, in its row or in a shard.
    Unguarded(GroupId),
    /// Invariant 10: a membership with a start or an end that the sweep, or a reader, would miss.
    NotDue(GroupId, AccountId),
    /// A member whose account is deleted or was never announced.
    OfDeletedAccount(GroupId, AccountId),
    /// A member that is neither direct nor inherited.
    Unfounded(GroupId, AccountId),
    /// A member of a group that does not exist.
    Orphan(GroupId, AccountId),
    /// An edge that only one of its two groups has.
    HalfEdge(Edge),
    /// An edge of a group that does not exist.
    OrphanedEdge(Edge),
    /// A deleted group without a job that removes it.
    StuckDeletion(GroupId),
    /// A job older than an hour: it may have stopped.
    Stalled(Job),
    /// A job that waits for an operator.
    SetAside(Job),
    /// A group with rows or attributes of the first design.
    FirstDesignGroup(GroupId),
    /// A job of the first design.
    FirstDesignJob(JobKind),
    /// A row that cannot be decoded.
    Unreadable(String),
}

impl fmt::Display for InvariantViolation {
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Membership { group, account, stored: true } => {
                write!(f, "1: {group} {account}: has a member row and should not")
            }
            Self::Membership { group, account, .. } => write!(f, "1: {group} {account}: should have a member row"),
            Self::Shard { shard: CountShard { group, number }, stored, right, .. } => {
                let (stored, right) = (shard_counts(*stored), shard_counts(*right));
                write!(f, "2: {group}: shard {number} counts {stored}, should count {right}")
            }
            Self::Counts { group, stored, right } => {
                write!(f, "2: {group}: counts {}, should count {}", counts(*stored), counts(*right))
            }
            Self::StaleCounts(group) => write!(f, "2: {group}: the counts in its row are not those of its shards"),
            Self::Mirror(group, account) => write!(f, "3: {group} {account}: the member row and its mirror differ"),
            Self::Via { edge, account, stored } => write_via(f, edge, account, *stored),
            Self::Cycle(groups) => {
                let groups: Vec<String> = groups.iter().map(GroupId::to_string).collect();
                write!(f, "5: nested in a cycle: {}", groups.join(", "))
            }
            Self::Copies(group, account) => write!(f, "6: {group} {account}: the copies differ from the account"),
            Self::Name(group) => write!(f, "7: {group}: the list entry or the search rows differ from the name"),
            Self::AccountTexts(account) => {
                write!(f, "7: {account}: the rows by which it is found differ from its name and address")
            }
            Self::AuditRecord(group, account) => {
                write!(f, "8: {group} {account}: the audit record differs from the member row")
            }
            Self::Unguarded(group) => write!(f, "9: {group}: nested in a privileged group, and not marked as such"),
            Self::NotDue(group, account) => {
                write!(f, "10: {group} {account}: its start or end is not noted where it is looked for")
            }
            Self::OfDeletedAccount(group, account) => write!(f, "6: {group} {account}: the account does not exist"),
            Self::Unfounded(group, account) => write!(f, "4: {group} {account}: neither direct nor inherited"),
            Self::Orphan(group, account) => write!(f, "1: {group} {account}: the group does not exist"),
            Self::HalfEdge(edge) => {
                write!(f, "4: {} {}: only one of the two groups has the edge", edge.parent, edge.child())
            }
            Self::OrphanedEdge(edge) => {
                write!(f, "4: {} {}: nested, but one of the two groups does not exist", edge.parent, edge.child())
            }
            Self::Stalled(job) => write!(f, "job: {}: created at {} and not finished", job.kind.name(), job.created_at),
            Self::StuckDeletion(group) => write!(f, "job: {group}: deleted, and no job removes it"),
            Self::SetAside(job) => {
                let reason = job.last_reason.as_deref().unwrap_or("no reason");
                write!(f, "job: {}: waits for an operator after {} attempts: {reason}", job.kind.name(), job.attempts)
            }
            Self::FirstDesignGroup(group) => write!(f, "row: {group}: a row of the first design"),
            Self::FirstDesignJob(job) => write!(f, "job: {}: a row of the first design", job.name()),
            Self::Unreadable(key) => write!(f, "row: {key}: cannot be read"),
        }
    }
}

fn write_via(f: &mut fmt::Formatter<'_>, edge: &Edge, account: &AccountId, stored: bool) -> fmt::Result {
    let text = if stored { "is stored as inherited through" } else { "is not stored as inherited through" };
    let right = if stored { "should not be" } else { "should be" };
    write!(f, "4: {} {account}: {text} {}, and {right}", edge.parent, edge.child())
}

fn shard_counts(counts: ShardCounts) -> String {
    format!("{} members, {} direct ones", counts.members, counts.direct_members)
}

fn counts(counts: GroupCounts) -> String {
    let GroupCounts { members, direct_members, nested_groups } = counts;
    format!("{members} members, {direct_members} direct ones, {nested_groups} nested groups")
}
