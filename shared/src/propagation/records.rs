//! Records of the table's stream, a batch at a time.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::Propagation;
use super::climb::links;
use crate::authz::Granted;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId, JobKind};
use crate::store::{Link, Record, Trigger};

/// Jobs of one batch that are worked on side by side.
const JOBS_SIDE_BY_SIDE: usize = 8;

/// Members' rows that changed.
#[derive(Debug, Default, Clone)]
pub(super) struct Changed {
    /// Rows that came or went.
    came_or_went: BTreeSet<(GroupId, AccountId)>,
    /// Rows that came, or became direct members'.
    came_or_were_added: BTreeSet<(GroupId, AccountId)>,
    /// Nestings that rows came to be held by.
    gained: BTreeSet<(Edge, AccountId)>,
}

impl Changed {
    /// One member that is to be looked at again, as if its row had come with all the nestings that it is held by.
    pub(super) fn member(group: GroupId, account: AccountId, via: &[EdgeId]) -> Self {
        let gained = via.iter().map(|id| (Edge { parent: group, id: *id }, account.clone())).collect();
        let member = BTreeSet::from([(group, account)]);
        Self { came_or_went: member.clone(), came_or_were_added: member, gained }
    }

    fn add(&mut self, trigger: &Trigger) {
        let Trigger::Member { group, account, came_or_went, came_or_was_added, gained } = trigger else { return };
        let member = (*group, account.clone());
        if *came_or_went {
            self.came_or_went.insert(member.clone());
        }
        if *came_or_was_added {
            self.came_or_were_added.insert(member);
        }
        self.gained.extend(gained.iter().map(|edge| (*edge, account.clone())));
    }
}

/// Does what follows from a batch of records. Gives the sequence numbers of those that have to come again.
pub async fn propagate(propagation: Propagation<'_>, records: &[Record]) -> Vec<String> {
    let mut failed = BTreeSet::new();
    let mut members = Vec::new();
    let mut jobs = Vec::new();
    for record in records {
        match record.trigger() {
            Ok(None) => {}
            Ok(Some(trigger @ Trigger::Member { .. })) => members.push((record, trigger)),
            Ok(Some(Trigger::Job(kind, revision))) => jobs.push((record, kind, revision)),
            Ok(Some(Trigger::NewJob(kind, actor))) => {
                let granted = Granted::on_behalf_of(actor.as_deref());
                let made = propagation.store.create_job(&granted, kind, propagation.now).await;
                note(record, made, &mut failed);
            }
            Ok(Some(Trigger::Name(group))) => note(record, propagation.name(&group).await, &mut failed),
            Err(error) => {
                // It will not be more readable later. `verify` finds what it should have led to.
                let sequence_number = &record.sequence_number;
                tracing::error!(sequence_number, reason = %error, "a record of the stream is left out");
            }
        }
    }
    propagation.follow_all(&members, &mut failed).await;
    let steps: Vec<_> = jobs
        .iter()
        .map(|(record, kind, revision)| async move { (*record, propagation.step(kind, *revision).await) })
        .collect();
    let steps: Vec<_> = stream::iter(steps).buffer_unordered(JOBS_SIDE_BY_SIDE).collect().await;
    for (record, stepped) in steps {
        note(record, stepped, &mut failed);
    }
    failed.into_iter().collect()
}

fn note(record: &Record, outcome: Result<(), Error>, failed: &mut BTreeSet<String>) {
    if let Err(error) = outcome {
        let sequence_number = &record.sequence_number;
        tracing::warn!(sequence_number, reason = %error, "a record of the stream has to come again");
        failed.insert(record.sequence_number.clone());
    }
}

impl Propagation<'_> {
    /// Rule 9.
    async fn name(&self, group: &GroupId) -> Result<(), Error> {
        match self.store.pending_name(self.granted, group).await? {
            Some(name) => self.store.index_name(self.granted, &name).await,
            None => Ok(()),
        }
    }

    /// Does what follows from members' rows: all at once or, when one of them is in the way of the others, one by one.
    async fn follow_all(&self, members: &[(&Record, Trigger)], failed: &mut BTreeSet<String>) {
        let mut changed = Changed::default();
        members.iter().for_each(|(_, trigger)| changed.add(trigger));
        match self.follow(&changed).await {
            Ok(()) => {}
            Err(Error::Unavailable { .. }) => failed.extend(members.iter().map(|(it, _)| it.sequence_number.clone())),
            Err(_) => {
                for (record, trigger) in members {
                    let outcome = self.follow_one(trigger).await;
                    note(record, outcome, failed);
                }
            }
        }
    }

    /// What can never be done becomes a job, which stands aside in time and is seen; the records behind it go on.
    async fn follow_one(&self, trigger: &Trigger) -> Result<(), Error> {
        let mut changed = Changed::default();
        changed.add(trigger);
        match (self.follow(&changed).await, trigger) {
            (Err(error @ Error::Internal { .. }), Trigger::Member { group, account, .. }) => {
                tracing::error!(reason = %error, "a record of the stream becomes a job");
                self.store.create_job(self.granted, JobKind::ReconcileMember(*group, account.clone()), self.now).await
            }
            (outcome, _) => outcome,
        }
    }

    /// Does what follows from members' rows, one level up.
    pub(super) async fn follow(&self, changed: &Changed) -> Result<(), Error> {
        let members = changed.came_or_went.union(&changed.came_or_were_added);
        let groups: BTreeSet<GroupId> = members.map(|(group, _)| *group).collect();
        let edges: BTreeSet<Edge> = changed.gained.iter().map(|(edge, _)| *edge).collect();
        if groups.is_empty() && edges.is_empty() {
            return Ok(());
        }
        let around = self.store.surroundings(self.granted, &groups, &edges).await?;

        // Who came into a group while it was being deleted.
        let (lost, came): (BTreeSet<_>, BTreeSet<_>) =
            changed.came_or_were_added.iter().cloned().partition(|(group, _)| around.gone.contains_key(group));
        for (group, accounts) in by_group(&lost) {
            // Of who has gone since, the trail says so already.
            let accounts = self.store.still_members(self.granted, &group, accounts).await?;
            let granted = Granted::on_behalf_of(around.gone.get(&group).and_then(Option::as_deref));
            self.store.purge_members(&granted, &group, &accounts, self.now).await?;
        }
        // Rules 3 and 4; and where a nesting ended before the row that it gave could be seen, rule 6.
        let mut links = links(&by_group(&changed.came_or_went), &around.parents);
        let ended = changed.gained.iter().filter(|(edge, _)| around.ended.contains(edge));
        links.extend(ended.map(|(edge, account)| Link { edge: *edge, account: account.clone() }));
        self.store.settle(self.granted, &links, self.now).await?;
        // Rule 8, for an account that changed before the row could be seen.
        self.store.update_members(self.granted, &came, self.now).await
    }
}

fn by_group(members: &BTreeSet<(GroupId, AccountId)>) -> BTreeMap<GroupId, BTreeSet<AccountId>> {
    let mut groups: BTreeMap<GroupId, BTreeSet<AccountId>> = BTreeMap::new();
    for (group, account) in members {
        groups.entry(*group).or_default().insert(account.clone());
    }
    groups
}
