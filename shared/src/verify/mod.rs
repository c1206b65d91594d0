//! Whether the table keeps its invariants (docs/propagation.md), and mending it where it does not.

mod snapshot;

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use self::snapshot::Snapshot;
use crate::domain::{AccountId, Edge, Error, GroupId, Job, JobKind};
use crate::propagation::Propagation;
use crate::store::{Counts, Link};

/// How often what one repair brought to light is repaired as well: once a level, and a few for what else goes on.
const REPAIRS: usize = 100;

/// Something that contradicts something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InvariantViolation {
    /// Invariant 1: an account is a member of the group and should not be, or the reverse.
    Membership {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// Whether its row is there.
        stored: bool,
    },
    /// Invariant 2: counts that are not those of the rows.
    Counts {
        /// The group.
        group: GroupId,
        /// As its row says.
        stored: Counts,
        /// As there are.
        right: Counts,
    },
    /// Invariant 3: a member whose mirror is not there or says something else, or a mirror of no member.
    Mirror(GroupId, AccountId),
    /// Invariant 4: a member comes through a nesting and should not, or the reverse.
    Via {
        /// The nesting.
        edge: Edge,
        /// The account.
        account: AccountId,
        /// Whether the member's row has the nesting.
        stored: bool,
    },
    /// Invariant 5: nestings among these groups go in a circle.
    Cycle(Vec<GroupId>),
    /// Invariant 6: copies of the account's fields that are not the account's.
    Copies(GroupId, AccountId),
    /// Invariant 8: the trail of a membership does not say what the member's row says.
    Trail(GroupId, AccountId),
    /// Invariant 7: what a search finds the group by is not its name.
    Name(GroupId),
    /// A member whose account is deleted or was never there.
    OfDeletedAccount(GroupId, AccountId),
    /// A member that neither was added nor comes through a nested group.
    Unheld(GroupId, AccountId),
    /// A member of a group that is not there.
    Orphan(GroupId, AccountId),
    /// A nesting that only one of its two groups knows of.
    HalfNesting(Edge),
    /// A nesting of a group that is not there.
    OrphanNesting(Edge),
    /// A deleted group that no job removes.
    StuckDeletion(GroupId),
    /// A job that has not moved for an hour.
    Stalled(Job),
    /// A job that failed too often to go on by itself.
    SetAside(Job),
    /// A row that cannot be read.
    Unreadable(String),
}

impl fmt::Display for InvariantViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Membership { group, account, stored } => {
                let told =
                    if *stored { "stored as a member, should be none" } else { "not stored, should be a member" };
                write!(f, "1: {group} {account}: {told}")
            }
            Self::Counts { group, stored, right } => {
                write!(f, "2: {group}: counts {}, should count {}", counts(*stored), counts(*right))
            }
            Self::Mirror(group, account) => write!(f, "3: {group} {account}: the two rows of the membership differ"),
            Self::Via { edge, account, stored: true } => {
                write!(f, "4: {} {account}: stored as coming through {}, should not", edge.parent, edge.child())
            }
            Self::Via { edge, account, .. } => {
                write!(f, "4: {} {account}: should come through {}, not stored so", edge.parent, edge.child())
            }
            Self::Cycle(groups) => {
                let groups: Vec<String> = groups.iter().map(GroupId::to_string).collect();
                write!(f, "5: nested in a circle: {}", groups.join(", "))
            }
            Self::Copies(group, account) => write!(f, "6: {group} {account}: the copies are not the account's fields"),
            Self::Name(group) => write!(f, "7: {group}: a search finds it by something other than its name"),
            Self::Trail(group, account) => write!(f, "8: {group} {account}: the trail does not end where it should"),
            Self::OfDeletedAccount(group, account) => write!(f, "6: {group} {account}: there is no such account"),
            Self::Unheld(group, account) => write!(f, "4: {group} {account}: a member for no reason"),
            Self::Orphan(group, account) => write!(f, "1: {group} {account}: a member of a group that is not there"),
            Self::HalfNesting(edge) => {
                write!(f, "4: {} {}: nested as only one of the two says", edge.parent, edge.child())
            }
            Self::OrphanNesting(edge) => {
                write!(f, "4: {} {}: nested, though one of the two is not there", edge.parent, edge.child())
            }
            Self::Stalled(job) => write!(f, "job: {}: has not moved since {}", job.kind.name(), job.created_at),
            Self::StuckDeletion(group) => write!(f, "job: {group}: deleted, and nothing removes it"),
            Self::SetAside(job) => {
                let reason = job.last_reason.as_deref().unwrap_or("no reason");
                write!(f, "job: {}: set aside after {} attempts: {reason}", job.kind.name(), job.attempts)
            }
            Self::Unreadable(key) => write!(f, "row: {key}: cannot be read"),
        }
    }
}

fn counts(counts: Counts) -> String {
    let Counts { members, direct_members, nested_groups } = counts;
    format!("{members} members, {direct_members} direct ones, {nested_groups} nested groups")
}

impl Propagation<'_> {
    /// What contradicts what in the table, at rest. Of a table in use, twice: what both times was wrong.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn verify(&self) -> Result<Vec<InvariantViolation>, Error> {
        let mut violations = self.look().await?;
        if !violations.is_empty() {
            let again: HashSet<InvariantViolation> = self.look().await?.into_iter().collect();
            violations.retain(|violation| again.contains(violation));
        }
        Ok(violations)
    }

    async fn look(&self) -> Result<Vec<InvariantViolation>, Error> {
        Ok(Snapshot::of(self.store.facts(self.granted).await?).violations(self.now))
    }

    /// Mends what contradicts something, level by level, until nothing does or nothing more can be done. Gives what is
    /// left. Only what was seen twice, and each under the condition that it is so still: a table in use stays right.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair(&self) -> Result<Vec<InvariantViolation>, Error> {
        let mut violations = self.verify().await?;
        for _ in 0..REPAIRS {
            if violations.is_empty() {
                break;
            }
            self.mend(&violations).await?;
            let mut left = self.verify().await?;
            // Those have been driven; the table's stream goes on with them.
            left.retain(|violation| !matches!(violation, InvariantViolation::Stalled(_)));
            if left == violations {
                break;
            }
            violations = left;
        }
        Ok(violations)
    }

    async fn mend(&self, violations: &[InvariantViolation]) -> Result<(), Error> {
        let mut links = HashSet::new();
        let mut members = BTreeSet::new();
        for violation in violations {
            match violation {
                InvariantViolation::Via { edge, account, .. } => {
                    links.insert(Link { edge: *edge, account: account.clone() });
                }
                InvariantViolation::OfDeletedAccount(group, account) => {
                    members.insert((*group, account.clone()));
                }
                violation => self.mend_one(violation).await?,
            }
        }
        let links: Vec<Link> = links.into_iter().collect();
        self.store.settle(self.granted, &links, self.now).await?;
        self.store.update_members(self.granted, &members, self.now).await
    }

    async fn mend_one(&self, violation: &InvariantViolation) -> Result<(), Error> {
        let (store, granted) = (self.store, self.granted);
        match violation {
            InvariantViolation::Counts { group, stored, right } => {
                store.repair_counts(granted, group, *stored, *right).await
            }
            InvariantViolation::Mirror(group, account) => store.repair_mirror(granted, group, account).await,
            InvariantViolation::Copies(group, account) => store.repair_copies(granted, group, account).await,
            InvariantViolation::Unheld(group, account) => store.repair_unheld(granted, group, account, self.now).await,
            InvariantViolation::Orphan(group, account) => store.repair_orphan(granted, group, account, self.now).await,
            InvariantViolation::Trail(group, account) => store.repair_trail(granted, group, account, self.now).await,
            InvariantViolation::Name(group) => store.repair_name(granted, group).await,
            InvariantViolation::OrphanNesting(edge) => self.end(edge).await,
            InvariantViolation::HalfNesting(edge) => store.repair_half_nesting(granted, edge).await,
            InvariantViolation::StuckDeletion(group) => {
                store.create_job(granted, JobKind::DeleteGroup(*group), self.now).await
            }
            InvariantViolation::Stalled(job) | InvariantViolation::SetAside(job) => {
                store.resume_job(granted, job).await
            }
            // The one follows from invariant 4; the others are for a person to decide.
            InvariantViolation::Membership { .. }
            | InvariantViolation::Via { .. }
            | InvariantViolation::OfDeletedAccount(..)
            | InvariantViolation::Cycle(_)
            | InvariantViolation::Unreadable(_) => Ok(()),
        }
    }
}
