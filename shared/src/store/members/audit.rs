//! Audit records: the state of each present or past membership, who changed it last, when, and how often. Each change
//! of a member row writes the audit record in the same transaction. The stream record of that write is the source of
//! the published event (docs/events.md). A request by event that was made before the last decision in the audit record
//! changes nothing.

use std::collections::BTreeSet;

use crate::domain::{AccountId, Actor, EdgeId, Error, GroupId, Membership, MembershipRequest, Moment, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::rows::{AuditItem, MemberItem};
use crate::store::table::{Commit, Condition, MAX_ACTIONS, QuerySpec, Update, Write};

/// How long the audit records of a deleted group are kept.
const RETENTION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// The actor, the time and the origin of a change of a membership.
#[derive(Debug, Clone)]
pub(in crate::store) struct ChangeContext<'a> {
    pub(in crate::store) actor: &'a Actor,
    pub(in crate::store) now: Timestamp,
    pub(in crate::store) origin: ChangeOrigin,
    /// Whether the change may be in a group that is privileged, or nested in a privileged one.
    pub(in crate::store) may_change_guarded: bool,
}

impl<'a> ChangeContext<'a> {
    /// A change that follows from another one.
    pub(in crate::store) const fn derived(actor: &'a Actor, now: Timestamp) -> Self {
        Self { actor, now, origin: ChangeOrigin::Derived, may_change_guarded: true }
    }
}

/// The reason of a change. All but `Derived` decide whether the account is a direct member, in place of a schedule.
#[derive(Debug, Clone)]
pub(in crate::store) enum ChangeOrigin {
    /// An administrator's request.
    AdminRequest,
    /// A request by event, provided that no decision was made since the audit record was read.
    Event(RequestDecision),
    /// The start of a scheduled membership, provided that the schedule is as read.
    Scheduled(Timestamp),
    /// Another change, or the end of a membership that expired: no decision.
    Derived,
    /// The deletion of the group.
    GroupDeleted,
}

/// How a request by event compares with the audit record of its membership.
pub(super) enum RequestState {
    /// It may decide.
    New(RequestDecision),
    /// It decided before, or a later decision was made.
    Superseded,
    /// It was refused before. Whether that was reported is not known.
    Refused,
    /// As many others as the audit record remembers decided at this moment: a repeated one could not be recognized.
    TooMany,
}

/// The decision of a request, on the audit record that was read.
#[derive(Debug, Clone)]
pub(in crate::store) struct RequestDecision {
    read: Box<AuditItem>,
    id: String,
    at: Moment,
    decisions: BTreeSet<String>,
}

/// Requests of one moment that an audit record remembers. An event id has up to 128 characters, and a row 400 KB.
const MAX_DECISIONS: usize = 32;

/// Marks the id of a request that was refused; no id has a space.
const REFUSED: &str = " refused";

impl RequestState {
    pub(super) fn of(request: &MembershipRequest, audit_record: Option<&AuditItem>) -> Self {
        let read = audit_record.cloned().unwrap_or_default();
        let at = request.requested_at;
        let is_late = read.decided_at.is_some_and(|it| it > at) || read.administered_at.is_some_and(|it| it > at);
        // Requests of one moment decide in the order in which they arrive.
        let decisions = if read.decided_at == Some(at) { read.decisions.clone() } else { BTreeSet::new() };
        if decisions.contains(&format!("{}{REFUSED}", request.id)) {
            return Self::Refused;
        }
        if is_late || decisions.contains(&request.id) {
            return Self::Superseded;
        }
        if decisions.len() >= MAX_DECISIONS {
            return Self::TooMany;
        }
        Self::New(RequestDecision { read: Box::new(read), id: request.id.clone(), at, decisions })
    }
}

impl RequestDecision {
    /// Marks the request as applied.
    pub(super) fn applied(mut self) -> Self {
        self.decisions.insert(self.id.clone());
        self
    }

    /// Marks the request as one that decided, but was refused.
    pub(super) fn refused(mut self) -> Self {
        self.decisions.insert(format!("{}{REFUSED}", self.id));
        self
    }

    /// Writes the decision into the audit record, provided that no other was made since it was read.
    fn write(&self, audit_record: Update) -> Update {
        let nanos = |moment: Option<Moment>| moment.map(Moment::unix_nanos);
        let decisions = (!self.read.decisions.is_empty()).then_some(&self.read.decisions);
        audit_record
            .set(Attribute::DecidedAt, self.at.unix_nanos())
            .remove(Attribute::StartsAt)
            .set(Attribute::Decisions, &self.decisions)
            .when(Condition::equals_or_absent(Attribute::DecidedAt, nanos(self.read.decided_at)))
            .when(Condition::equals_or_absent(Attribute::AdministeredAt, nanos(self.read.administered_at)))
            .when(Condition::equals_or_absent(Attribute::Decisions, decisions))
    }
}

/// Records a change of a membership: `after` is its new state, `added_at` when it began, `becomes_direct` whether it was no direct
/// one before.
pub(in crate::store) fn write_audit_record(
    group: &GroupId,
    account: &AccountId,
    after: &Membership,
    added_at: Option<Timestamp>,
    becomes_direct: bool,
    context: &ChangeContext<'_>,
) -> Write {
    let ChangeContext { actor, now, origin, .. } = context;
    let mut update = Update::of(Key::audit_record(group, account))
        .set(Attribute::Actor, *actor)
        .set(Attribute::ChangedAt, *now)
        .add(Attribute::Revision, 1);
    update = update.set_or_remove(Attribute::Direct, Some(after.is_member().then_some(after.direct)));
    update = update.set_or_remove(Attribute::AddedAt, Some(added_at.filter(|_| after.is_member())));
    if becomes_direct {
        update = update.set(Attribute::DirectSince, *now).set(Attribute::DirectBy, *actor);
    }
    // In the short form: in a dense graph, this record is as large as the member row.
    let via: BTreeSet<String> = after.via.iter().map(EdgeId::compact).collect();
    update = if via.is_empty() { update.remove(Attribute::Via) } else { update.set(Attribute::Via, &via) };
    let update = match origin {
        ChangeOrigin::Derived => update,
        // In whole seconds, as requests name their time: one of the same second is not late.
        ChangeOrigin::AdminRequest => {
            update.set(Attribute::AdministeredAt, Moment::from(*now).unix_nanos()).remove(Attribute::StartsAt)
        }
        ChangeOrigin::Scheduled(starts_at) => {
            update.remove(Attribute::StartsAt).when(Condition::equals(Attribute::StartsAt, *starts_at))
        }
        ChangeOrigin::Event(decision) => decision.write(update),
        ChangeOrigin::GroupDeleted => update.set(Attribute::ExpiresAt, expires_at(*now)),
    };
    update.into()
}

/// Requires that a member row is as it was read, or that there is still none.
pub(in crate::store) fn require_unchanged(group: &GroupId, account: &AccountId, read: Option<&MemberItem>) -> Write {
    let condition = read.map_or_else(Condition::row_absent, MemberItem::unchanged_since_read);
    Write::Check(Key::member(group, account), condition)
}

impl Store {
    /// Records a decision that changes nothing, if no other was made meanwhile and the member row is as it was read. A plain
    /// read may have seen the audit record from after a transaction, and the member row from before it.
    pub(super) async fn record_decision(
        &self,
        group: &GroupId,
        account: &AccountId,
        member: Option<&MemberItem>,
        decision: &RequestDecision,
    ) -> Result<Commit, Error> {
        let audit_record = decision.write(Update::of(Key::audit_record(group, account)));
        self.table.transact(vec![require_unchanged(group, account, member), audit_record.into()]).await
    }

    /// Sets the expiry of up to `limit` audit records of a deleted group, after an account. Returns where the next page
    /// starts. One `Query`, and a transaction for each hundred that do not expire yet.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn expire_audit_records(
        &self,
        group: &GroupId,
        after: Option<&AccountId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<AccountId>, Error> {
        let range = Range::AuditRecords(*group);
        let after = after.map(|account| Key::audit_record(group, account));
        let spec = QuerySpec { after, wanted: Some(limit), ..QuerySpec::all(&range) };
        let (rows, last) = self.table.query_page(spec).await?;
        let stays = rows.iter().filter(|row| !row.contains_key(Attribute::ExpiresAt.as_str()));
        let keys: Vec<Key> = stays.filter_map(Key::from_row).collect();
        for chunk in keys.chunks(MAX_ACTIONS) {
            let expire = |key: &Key| -> Write {
                let update = Update::of(key.clone()).set(Attribute::ExpiresAt, expires_at(now));
                update.when(Condition::row_exists()).into()
            };
            // When the condition fails, a record has expired already; the next run sets the others.
            let _ = self.table.transact(chunk.iter().map(expire).collect()).await?;
        }
        Ok(last.and_then(|key| key.as_audit_record()).map(|(_, account)| account))
    }
}

const fn expires_at(now: Timestamp) -> i64 {
    now.unix_seconds() + RETENTION_SECONDS
}
