//! Trails: of every membership there is or was, how it is now, who changed it last, when, and how often it changed. Each
//! change of a member's row writes the trail in the same transaction; the stream's record of it, with the trail before
//! and after, is what is published (docs/events.md). What other systems ask for is decided against it: a request that was
//! made before the last decision changes nothing.

use std::collections::BTreeSet;

use super::Store;
use super::expression::Expression;
use super::inheritance::as_read;
use super::items::{MemberItem, TrailItem, read_item};
use super::keys::{Attribute, Attributes, Key, Range};
use super::table::Rows;
use super::transact::{Action, Commit, MAX_ACTIONS};
use crate::authz::{Granted, Settle};
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

/// How a request stands to the trail of its membership.
pub(super) enum Request {
    /// It can decide.
    New(Requested),
    /// It decided already, or something was decided since it was made.
    Late,
    /// It decided already, and had to be told that it cannot be done.
    Refused,
}

/// What a request makes of a trail that was read.
#[derive(Debug, Clone)]
pub(super) struct Requested {
    read: TrailItem,
    id: String,
    at: Moment,
    decisions: BTreeSet<String>,
}

/// What follows the id of a request that was refused; no id has a space.
const REFUSED: &str = " refused";

impl Request {
    /// How the request stands to the trail that was read.
    pub(super) fn read(request: &MembershipRequest, trail: Option<Attributes>) -> Result<Self, Error> {
        let read: TrailItem = read_item(trail)?.unwrap_or_default();
        let at = request.requested_at;
        let is_late =
            read.decided_at.is_some_and(|decided| decided > at) || read.administered_at.is_some_and(|it| it > at);
        // Those of one moment decide in the order in which they come.
        let decisions = if read.decided_at == Some(at) { read.decisions.clone() } else { BTreeSet::new() };
        if decisions.contains(&format!("{}{REFUSED}", request.id)) {
            return Ok(Self::Refused);
        }
        if is_late || decisions.contains(&request.id) {
            return Ok(Self::Late);
        }
        Ok(Self::New(Requested { read, id: request.id.clone(), at, decisions }))
    }
}

impl Requested {
    /// It is done.
    pub(super) fn done(mut self) -> Self {
        self.decisions.insert(self.id.clone());
        self
    }

    /// It has decided, but cannot be done.
    pub(super) fn refused(mut self) -> Self {
        self.decisions.insert(format!("{}{REFUSED}", self.id));
        self
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
        Decision::Ends => set.push(e.set(Attribute::ExpiresAt, expires_at(by.now))),
    }
    let mut update = format!("SET {}", set.join(", "));
    if !remove.is_empty() {
        update = format!("{update} REMOVE {}", remove.join(", "));
    }
    let update = format!("{update} ADD {}", e.add(Attribute::Revision, 1));
    Action::Update { key: Key::trail(group, account), e, update, condition }
}

impl Store {
    /// Notes that a request decided what is so already, if nothing was decided meanwhile and the member's row, perhaps
    /// none, is as it was read: a plain read may have seen the trail as a transaction leaves it, and the row before.
    pub(super) async fn note_decision(
        &self,
        group: &GroupId,
        account: &AccountId,
        member: Option<Attributes>,
        requested: &Requested,
    ) -> Result<Commit, Error> {
        let mut e = Expression::default();
        let (condition, set) = (requested.condition(&mut e), requested.set(&mut e));
        let update = format!("SET {}", set.join(", "));
        let trail = Action::Update { key: Key::trail(group, account), e, update, condition };
        self.table.transact(vec![check_member(group, account, member)?, trail]).await
    }

    /// Has the trails of a deleted group go in time, up to so many after an account, and where to go on. One `Query`, a
    /// transaction for a hundred of those that do not go yet.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn expire_trails(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        after: Option<&AccountId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<AccountId>, Error> {
        let range = Range::Trails(*group);
        let after = after.map(|account| (Key::trail(group, account), None));
        let (rows, last) = self.table.query_page(Rows { after, wanted: Some(limit), ..Rows::all(&range) }).await?;
        let stays = |row: &&Attributes| !row.contains_key(Attribute::ExpiresAt.as_str());
        let keys: Vec<Key> = rows.iter().filter(stays).filter_map(Key::of_row).collect();
        for some in keys.chunks(MAX_ACTIONS) {
            let expire = |key: &Key| {
                let mut e = Expression::default();
                let condition = e.row();
                let update = format!("SET {}", e.set(Attribute::ExpiresAt, expires_at(now)));
                Action::Update { key: key.clone(), e, update, condition }
            };
            self.table.transact(some.iter().map(expire).collect()).await?;
        }
        Ok(last.and_then(|key| key.as_trail()).map(|(_, account)| account))
    }
}

const fn expires_at(now: Timestamp) -> i64 {
    now.unix_seconds() + TRAIL_SECONDS
}

/// The member's row is as it was read, or there is none still.
pub(super) fn check_member(group: &GroupId, account: &AccountId, row: Option<Attributes>) -> Result<Action, Error> {
    let item: Option<MemberItem> = read_item(row)?;
    let mut e = Expression::default();
    let condition = match &item {
        Some(item) => as_read(&mut e, item),
        None => e.no_row(),
    };
    Ok(Action::Check { key: Key::member(group, account), e, condition })
}
