//! Members that a group has through the groups nested in it: rules 3, 4 and 6 of docs/propagation.md, in one method that
//! looks at what is and makes it what it should be.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Store;
use super::expression::Expression;
use super::items::{
    MemberItem, MembershipItem, State, TrailItem, read_edge_id, read_group, read_item, read_job, read_member,
    read_parents, to_row,
};
use super::keys::{Attribute, Attributes, Key};
use super::trail::{By, Decision, NOBODY, leave};
use super::transact::{self, Action, Commit, MAX_ACTIONS};
use crate::authz::{Granted, Settle};
use crate::aws::retry::Backoff;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId, Job, JobKind, Member, MembershipType, Timestamp};

/// How often links that others got in the way of are decided anew.
const ROUNDS: usize = 30;

/// An account, and a nesting through which it may be a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The nesting.
    pub edge: Edge,
    /// The account.
    pub account: AccountId,
}

/// How a link stands once it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The account is a member of the group above by links settled with it alone, or no member: groups further above
    /// depend on them.
    Decisive,
    /// The account is a member of the group above for other reasons too.
    Held,
}

/// What settling links found and did.
#[derive(Debug, Default)]
pub struct Settled {
    /// How each link stands, in the order of the links.
    pub standings: Vec<Standing>,
    /// Where the groups above are nested themselves.
    pub above: HashMap<GroupId, Vec<Edge>>,
}

impl Link {
    fn source(&self) -> Key {
        Key::member(&self.edge.child(), &self.account)
    }

    fn target(&self) -> Key {
        Key::member(&self.edge.parent, &self.account)
    }

    /// Who changed the member below.
    fn trail(&self) -> Key {
        Key::trail(&self.edge.child(), &self.account)
    }

    /// Who nested the one group in the other, just now.
    fn backfill(&self) -> Key {
        Key::job(&JobKind::Backfill(self.edge))
    }

    /// Who took it out again, just now.
    fn sweep(&self) -> Key {
        Key::job(&JobKind::Sweep(self.edge))
    }

    /// Whoever made the change that changes the member above: of the nesting or, where that is older, of the member below.
    fn changed_by(&self, rows: &HashMap<Key, Attributes>) -> Result<Option<String>, Error> {
        let job = |key: &Key| rows.get(key).cloned().map(read_job).transpose();
        if read_edge_id(rows.get(&self.nesting()).cloned())? != Some(self.edge.id) {
            return Ok(job(&self.sweep())?.and_then(|job| job.actor));
        }
        let trail: TrailItem = read_item(rows.get(&self.trail()).cloned())?.unwrap_or_default();
        let is_newer = |nested: &Job| rows.contains_key(&self.source()) && trail.changed_at <= Some(nested.created_at);
        match job(&self.backfill())?.filter(is_newer) {
            Some(nested) => Ok(nested.actor),
            None => Ok(trail.actor),
        }
    }

    fn nesting(&self) -> Key {
        Key::child(&self.edge.parent, &self.edge.child())
    }
}

impl Store {
    /// Makes the members above what they should be: the account is a member of the parent through the nesting exactly
    /// when the nesting is there and the account is a member of the child. They are changed in the name of whoever has it
    /// done; where that is nobody in particular, of whoever made the change that it follows from. Up to 24 accounts of one
    /// nesting, or 19 nestings of one account, take one `TransactGetItems` and, when something is to change, one
    /// transaction.
    ///
    /// # Errors
    /// The table did not answer; what came before the failure stays done.
    pub async fn settle(&self, granted: &Granted<Settle>, links: &[Link], now: Timestamp) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        for chunk in chunks(links) {
            let Settled { standings, above } = self.settle_chunk(chunk, granted.behalf(), now).await?;
            settled.standings.extend(standings);
            settled.above.extend(above);
        }
        Ok(settled)
    }

    async fn settle_chunk(&self, links: &[Link], actor: Option<&str>, now: Timestamp) -> Result<Settled, Error> {
        let keys = |link: &Link| [link.source(), link.target(), link.nesting(), Key::nesting(&link.edge.parent)];
        let mut keys: HashSet<Key> = links.iter().flat_map(keys).collect();
        if actor.is_none() {
            keys.extend(links.iter().flat_map(|link| [link.trail(), link.backfill(), link.sweep()]));
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        let mut gone = HashSet::new();
        for _ in 0..ROUNDS {
            // A plain read could miss what a transaction has decided, and find that nothing is left to do.
            let rows = self.table.transact_get(&keys).await?;
            let plan = Plan::make(links, &rows, &gone, actor, now)?;
            let (actions, standings) = (plan.actions, plan.standings);
            if actions.is_empty() || matches!(self.table.transact(actions).await?, Commit::Done) {
                return Ok(Settled { standings, above: above(links, &rows)? });
            }
            gone = self.groups_gone(links).await?;
            backoff.pause().await?;
        }
        Err(Error::Internal { operation: transact::OPERATION, code: "conditions keep failing".into() })
    }

    /// The groups above that are deleted: they gain nobody any more, and who is in them goes with their rows.
    async fn groups_gone(&self, links: &[Link]) -> Result<HashSet<GroupId>, Error> {
        let groups: BTreeSet<GroupId> = links.iter().map(|link| link.edge.parent).collect();
        let keys: Vec<Key> = groups.iter().map(Key::group).collect();
        let mut rows = self.table.batch_get(&keys).await?;
        let mut gone = HashSet::new();
        for (group, key) in groups.into_iter().zip(&keys) {
            if read_group(rows.remove(key))?.is_none() {
                gone.insert(group);
            }
        }
        Ok(gone)
    }
}

/// Where the groups above are nested.
fn above(links: &[Link], rows: &HashMap<Key, Attributes>) -> Result<HashMap<GroupId, Vec<Edge>>, Error> {
    let parents: BTreeSet<GroupId> = links.iter().map(|link| link.edge.parent).collect();
    let edges = |group: GroupId| Ok((group, read_parents(rows.get(&Key::nesting(&group)).cloned())?));
    parents.into_iter().map(edges).collect()
}

/// Links, in their order, by as many as fit one transaction together: no row is both read for one and changed for
/// another.
fn chunks(links: &[Link]) -> Vec<&[Link]> {
    let mut chunks = Vec::new();
    let (mut sources, mut targets) = (HashSet::new(), HashSet::new());
    let (mut edges, mut parents) = (HashSet::new(), HashSet::new());
    let mut start = 0;
    for (index, link) in links.iter().enumerate() {
        let (source, target) = (link.source(), link.target());
        let fits = |size: usize| size <= MAX_ACTIONS && !sources.contains(&target) && !targets.contains(&source);
        let grown = |set: &HashSet<Key>, key: &Key| set.len() + usize::from(!set.contains(key));
        let edge_count = edges.len() + usize::from(!edges.contains(&link.edge));
        let parent_count = parents.len() + usize::from(!parents.contains(&link.edge.parent));
        let (source_count, target_count) = (grown(&sources, &source), grown(&targets, &target));
        let reads = 2 * source_count + target_count + 3 * edge_count + parent_count;
        let writes = source_count + 3 * target_count + edge_count + parent_count;
        if !fits(reads.max(writes)) {
            chunks.push(&links[start..index]);
            start = index;
            sources.clear();
            targets.clear();
            edges.clear();
            parents.clear();
        }
        sources.insert(source);
        targets.insert(target);
        edges.insert(link.edge);
        parents.insert(link.edge.parent);
    }
    chunks.push(&links[start..]);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

/// What links ask for, given what was read.
struct Plan {
    actions: Vec<Action>,
    standings: Vec<Standing>,
}

/// A member row above, and the nestings that it gains and loses.
#[derive(Default)]
struct Target {
    before: Option<MemberItem>,
    via: BTreeSet<EdgeId>,
    /// The nestings that are being settled.
    links: BTreeSet<EdgeId>,
    /// The row of the account in a child that it is gained through: the first has the fields to copy.
    source: Option<Member>,
    /// Who changes it.
    actor: Option<String>,
}

impl Plan {
    fn make(
        links: &[Link],
        rows: &HashMap<Key, Attributes>,
        gone: &HashSet<GroupId>,
        actor: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut targets: BTreeMap<(GroupId, AccountId), Target> = BTreeMap::new();
        let mut conditions = Conditions::default();
        for link in links {
            let target = match targets.entry((link.edge.parent, link.account.clone())) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Target::read(rows, &link.target())?),
            };
            target.links.insert(link.edge.id);
            if !gone.contains(&link.edge.parent) && conditions.apply(link, target, rows)? {
                target.actor = match actor {
                    Some(actor) => Some(actor.to_owned()),
                    None => link.changed_by(rows)?,
                };
            }
        }
        let standing = |link: &Link| targets[&(link.edge.parent, link.account.clone())].standing();
        let standings = links.iter().map(standing).collect();
        let mut actions = Vec::new();
        let mut growth: BTreeMap<GroupId, i64> = BTreeMap::new();
        for ((group, account), target) in targets {
            *growth.entry(group).or_default() += target.growth();
            actions.extend(target.actions(&group, &account, now)?);
        }
        actions.extend(conditions.edges.iter().map(check_edge));
        actions.extend(conditions.sources.into_iter().map(|(key, there)| Action::check_row(key, there)));
        actions.extend(growth.into_iter().filter(|(_, by)| *by != 0).map(|(group, by)| count(&group, by)));
        Ok(Self { actions, standings })
    }
}

/// What the changes to the rows above depend on.
#[derive(Default)]
struct Conditions {
    /// Nestings that have to be there.
    edges: BTreeSet<Edge>,
    /// Rows below, and whether they have to be there.
    sources: BTreeMap<Key, bool>,
}

impl Conditions {
    /// Makes the row above what one link asks for. Gives whether that is another than it was.
    fn apply(&mut self, link: &Link, target: &mut Target, rows: &HashMap<Key, Attributes>) -> Result<bool, Error> {
        let id = link.edge.id;
        let is_nested = read_edge_id(rows.get(&link.nesting()).cloned())? == Some(id);
        let Some(source) = rows.get(&link.source()).filter(|_| is_nested) else {
            let is_lost = target.via.remove(&id);
            // Of a nesting that has ended nothing else is asked: it never comes back, and nothing can give what is taken.
            if is_lost && is_nested {
                self.sources.insert(link.source(), false);
            }
            return Ok(is_lost);
        };
        let is_gained = target.via.insert(id);
        if is_gained {
            target.source = Some(read_member(source.clone())?);
            self.edges.insert(link.edge);
            self.sources.insert(link.source(), true);
        }
        Ok(is_gained)
    }
}

/// The nesting is there.
fn check_edge(edge: &Edge) -> Action {
    let mut e = Expression::default();
    let condition = e.equal(Attribute::EdgeId, edge.id);
    Action::Check { key: Key::child(&edge.parent, &edge.child()), e, condition }
}

/// The group has so many more members, or fewer; a deleted one gains none.
pub(super) fn count(group: &GroupId, by: i64) -> Action {
    let mut e = Expression::default();
    let update = format!("ADD {}", e.add(Attribute::MemberCount, by));
    let condition = if by > 0 { e.equal(Attribute::State, State::Active.as_str()) } else { e.row() };
    Action::Update { key: Key::group(group), e, update, condition }
}

impl Target {
    fn read(rows: &HashMap<Key, Attributes>, key: &Key) -> Result<Self, Error> {
        let before: Option<MemberItem> = read_item(rows.get(key).cloned())?;
        let via = before.as_ref().map(|item| item.via.clone()).unwrap_or_default();
        Ok(Self { before, via, ..Self::default() })
    }

    fn is_direct(&self) -> bool {
        self.before.as_ref().is_some_and(|item| item.direct)
    }

    fn is_member(&self) -> bool {
        self.is_direct() || !self.via.is_empty()
    }

    fn growth(&self) -> i64 {
        i64::from(self.is_member()) - i64::from(self.before.is_some())
    }

    fn standing(&self) -> Standing {
        let held = self.is_direct() || !self.via.is_subset(&self.links);
        if held { Standing::Held } else { Standing::Decisive }
    }

    fn actions(self, group: &GroupId, account: &AccountId, now: Timestamp) -> Result<Vec<Action>, Error> {
        let (key, mirror) = (Key::member(group, account), Key::membership(account, group));
        let (is_direct, is_member) = (self.is_direct(), self.is_member());
        let Self { before, via, source, actor, .. } = self;
        let by = By { actor: actor.as_deref().unwrap_or(NOBODY), now, decision: Decision::Follows };
        let trail = leave(group, account, is_member.then_some((is_direct, &via)), &by);
        let Some(before) = before else {
            let Some(source) = source else { return Ok(Vec::new()) };
            let member =
                Member { account: source.account, membership_type: MembershipType::Indirect, via, added_at: now };
            let member = to_row(&key, &MemberItem::new(&member))?;
            let mirror = to_row(&mirror, &MembershipItem { direct: false })?;
            return Ok(vec![Action::put_new(member), Action::put_new(mirror), trail]);
        };
        if before.via == via {
            return Ok(Vec::new());
        }
        let mut e = Expression::default();
        let condition = as_read(&mut e, &before);
        if !is_member {
            return Ok(vec![Action::Delete { key, e, condition }, Action::delete_any(mirror), trail]);
        }
        let update = if via.is_empty() {
            format!("REMOVE {}", e.remove(Attribute::Via))
        } else {
            format!("SET {}", e.set(Attribute::Via, &via))
        };
        Ok(vec![Action::Update { key, e, update, condition }, trail])
    }
}

/// Nobody has changed the row since it was read.
pub(super) fn as_read(e: &mut Expression, item: &MemberItem) -> String {
    let direct = e.equal(Attribute::Direct, item.direct);
    let via = if item.via.is_empty() { e.absent(Attribute::Via) } else { e.equal(Attribute::Via, &item.via) };
    format!("{direct} AND {via} AND {}", e.equal(Attribute::AccountVersion, item.account_version))
}
