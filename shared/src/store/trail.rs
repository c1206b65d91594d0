//! Trails: of every membership there is or was, how it is now, who changed it last, when, and how often it changed. Each
//! change of a member's row writes the trail in the same transaction; the stream's record of it, with the trail before
//! and after, is what is published (docs/events.md). What other systems ask for is decided against it: a request that was
//! made before the last decision changes nothing.

use std::collections::BTreeSet;

use super::Store;
use super::expression::Expression;
use super::items::{TrailItem, from_row};
use super::keys::{Attribute, Attributes, Key};
use super::table::Written;
use super::transact::Action;
use crate::domain::{AccountId, EdgeId, Error, GroupId, MembershipRequest, Moment, Timestamp};

/// Who changed what nobody is known to have changed.
pub(super) const NOBODY: &str = "groups";

/// How long the trails of a deleted group stay.
const TRAIL_SECONDS: i64 = 30 * 24 * 60 * 60;

/// How an account is a member from now on; `None` for not at all.
pub(super) type After<'a> = Option<(bool, &'a BTreeSet<EdgeId>)>;

/// Who changes a membership, when, and by what right.
#[derive(Debug, Clone)]
pub(super) struct By<'a> {
    pub(super) actor: &'a str,
    pub(super) now: Timestamp,
    pub(super) decision: Decision,
}

impl By<'_> {
    /// Nobody: what is so already is told.
    pub(super) const fn nobody(now: Timestamp) -> Self {
        Self { actor: NOBODY, now, decision: Decision::Follows }
    }
}

/// Whether a change decides that an account is a direct member, or none.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    /// It does not: it follows from another.
    Follows,
    /// It does, as an administrator says.
    Made,
    /// It does, as a request asked for, under the condition that nothing was decided since the trail was read.
    Requested(Requested),
    /// It ends with its group.
    Ends,
}

/// What a request makes of a trail that was read.
#[derive(Debug, Clone)]
pub(super) struct Requested {
    read: TrailItem,
    at: Moment,
    decisions: BTreeSet<String>,
}

impl Requested {
    /// What the request makes of the trail, unless something was decided since it was made, or it decided already.
    pub(super) fn of(request: &MembershipRequest, trail: Option<Attributes>) -> Result<Option<Self>, Error> {
        let read: TrailItem = trail.map(|row| from_row(row).map(|(_, item)| item)).transpose()?.unwrap_or_default();
        let at = request.requested_at;
        let is_late =
            read.decided_at.is_some_and(|decided| decided > at) || read.administered_at.is_some_and(|it| it > at);
        // Those of one moment decide in the order in which they come.
        let mut decisions = if read.decided_at == Some(at) { read.decisions.clone() } else { BTreeSet::new() };
        let is_new = decisions.insert(request.id.clone());
        Ok((is_new && !is_late).then_some(Self { read, at, decisions }))
    }

    fn condition(&self, e: &mut Expression) -> String {
        let mut moment = |attribute, moment: Option<Moment>| match moment {
            Some(moment) => e.equal(attribute, moment.unix_nanos()),
            None => e.absent(attribute),
        };
        let decided_at = moment(Attribute::DecidedAt, self.read.decided_at);
        let administered_at = moment(Attribute::AdministeredAt, self.read.administered_at);
        let decisions = match self.read.decisions.is_empty() {
            false => e.equal(Attribute::Decisions, &self.read.decisions),
            true => e.absent(Attribute::Decisions),
        };
        format!("{decided_at} AND {administered_at} AND {decisions}")
    }

    fn set(&self, e: &mut Expression) -> [String; 2] {
        [e.set(Attribute::DecidedAt, self.at.unix_nanos()), e.set(Attribute::Decisions, &self.decisions)]
    }
}

/// The membership is like this from now on.
pub(super) fn leave(group: &GroupId, account: &AccountId, after: After<'_>, by: &By<'_>) -> Action {
    let mut e = Expression::default();
    let mut set = vec![e.set(Attribute::Actor, by.actor), e.set(Attribute::ChangedAt, by.now.to_string())];
    let mut remove = Vec::new();
    match after {
        Some((direct, via)) => {
            set.push(e.set(Attribute::Direct, direct));
            if via.is_empty() {
                remove.push(e.remove(Attribute::Via));
            } else {
                set.push(e.set(Attribute::Via, via));
            }
        }
        None => remove.extend([e.remove(Attribute::Direct), e.remove(Attribute::Via)]),
    }
    let mut condition = String::new();
    match &by.decision {
        Decision::Follows => {}
        // By whole seconds, as requests tell their time: one of the same second does not come too late.
        Decision::Made => set.push(e.set(Attribute::AdministeredAt, Moment::from(by.now).unix_nanos())),
        Decision::Requested(requested) => {
            condition = requested.condition(&mut e);
            set.extend(requested.set(&mut e));
        }
        Decision::Ends => set.push(e.set(Attribute::ExpiresAt, by.now.unix_seconds() + TRAIL_SECONDS)),
    }
    let mut update = format!("SET {}", set.join(", "));
    if !remove.is_empty() {
        update = format!("{update} REMOVE {}", remove.join(", "));
    }
    let update = format!("{update} ADD {}", e.add(Attribute::Revision, 1));
    Action::Update { key: Key::trail(group, account), e, update, condition }
}

impl Store {
    /// Notes that a request decided what is so already. Gives whether it did: not when something was decided meanwhile.
    pub(super) async fn note_decision(
        &self,
        group: &GroupId,
        account: &AccountId,
        requested: &Requested,
    ) -> Result<bool, Error> {
        let mut e = Expression::default();
        let (condition, set) = (requested.condition(&mut e), requested.set(&mut e));
        let key = Key::trail(group, account);
        let written = self.table.update(&key, e, format!("SET {}", set.join(", ")), condition).await?;
        Ok(matches!(written, Written::Done(_)))
    }
}
