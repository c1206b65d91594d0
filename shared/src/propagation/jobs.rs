//! Rules 5 to 8: what is too much for a commit, or for one record of the stream.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Propagation;
use super::climb::depending;
use super::records::Changed;
use crate::authz::Granted;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId, Job, JobKind};
use crate::store::{EdgeStanding, Link};

/// How long a step goes on, so that what came later does not wait for long.
const STEP_TIME: Duration = Duration::from_secs(1);

/// How often a nesting's end is tried that others got in the way of.
const ENDS: usize = 10;

/// Members that one page of a job looks at: ten transactions' worth.
const PAGE: usize = 240;

/// Trails that are looked at together.
const TRAILS: usize = 1_000;

/// What a page of a job's work came to.
#[derive(Debug, Default)]
struct Page {
    /// Where to go on; `None` when the job is done.
    next: Option<String>,
    /// How many members were looked at.
    looked_at: u64,
    /// Members of this group came or went: the groups above may have to follow.
    moved: Option<(GroupId, Vec<AccountId>)>,
}

impl Propagation<'_> {
    /// Does all of a job at once, and what follows from it in the groups above.
    ///
    /// # Errors
    /// The table did not answer: the job is still there, and the table's stream has it done.
    pub async fn complete(&self, kind: &JobKind) -> Result<(), Error> {
        let mut cursor = None;
        loop {
            let page = self.page(kind, cursor.as_deref()).await?;
            if let Some((group, accounts)) = page.moved {
                self.climb(&group, &accounts).await?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return self.store.finish_job(self.granted, kind).await;
            }
        }
    }

    /// Does a step of a job, as the record asks for that tells of this revision of it. Where the groups above must
    /// follow, the records of the members' rows see to it.
    ///
    /// # Errors
    /// The table did not even take the failure: the record has to come again.
    pub(super) async fn step(&self, kind: &JobKind, revision: u64) -> Result<(), Error> {
        let Some(job) = self.store.get_job(self.granted, kind).await? else { return Ok(()) };
        if job.revision != revision || job.set_aside {
            return Ok(());
        }
        let granted = Granted::on_behalf_of(job.actor.as_deref());
        match (Propagation { granted: &granted, ..*self }).pages(&job).await {
            Ok(Page { next: None, .. }) => self.store.finish_job(self.granted, kind).await,
            Ok(Page { next: Some(cursor), looked_at, .. }) => {
                self.store.advance_job(self.granted, &job, &cursor, looked_at).await
            }
            Err(error) => {
                let (job_kind, failures, reason) = (kind.name(), job.attempts, error.to_string());
                tracing::error!(job = job_kind, failures, reason, "a step of a job failed");
                // What passes by itself is no reason to give up.
                let passes = matches!(error, Error::Unavailable { .. });
                self.store.fail_job(self.granted, &job, &reason, passes).await
            }
        }
    }

    /// Works on a job page by page for a step's time.
    async fn pages(&self, job: &Job) -> Result<Page, Error> {
        let end = Instant::now() + STEP_TIME;
        let mut done = Page { next: job.cursor.clone(), ..Page::default() };
        loop {
            let page = self.page(&job.kind, done.next.as_deref()).await?;
            done = Page { looked_at: done.looked_at + page.looked_at, ..page };
            if done.next.is_none() || Instant::now() >= end {
                return Ok(done);
            }
        }
    }

    async fn page(&self, kind: &JobKind, cursor: Option<&str>) -> Result<Page, Error> {
        match kind {
            JobKind::Backfill(edge) => self.backfill(edge, cursor).await,
            JobKind::Sweep(edge) => self.sweep(edge, cursor).await,
            JobKind::DeleteGroup(group) => self.delete_group(group, cursor).await,
            JobKind::UpdateAccount(account, _) | JobKind::DeleteAccount(account, _) => {
                self.update_account(account, cursor).await
            }
            JobKind::ReconcileMember(group, account) => {
                let via = self.store.nestings_of_member(self.granted, group, account).await?;
                let changed = Changed::member(*group, account.clone(), &via);
                self.follow(&changed).await.map(|()| Page::default())
            }
        }
    }

    /// Rule 5. Begins only once the nesting is visible to whoever joins the child from now on: who joined before is
    /// found here, who joins later finds the nesting. Stops where the nesting ends.
    async fn backfill(&self, edge: &Edge, cursor: Option<&str>) -> Result<Page, Error> {
        match self.store.standing(self.granted, edge).await? {
            EdgeStanding::There => {}
            EdgeStanding::Ended => return Ok(Page::default()),
            EdgeStanding::OfDeleted | EdgeStanding::Orphan => return self.end(edge).await.map(|()| Page::default()),
        }
        self.settle_members(edge, &edge.child(), None, cursor).await
    }

    /// Ends a nesting of which a group is deleted. The rows of its groups may go meanwhile.
    pub(crate) async fn end(&self, edge: &Edge) -> Result<(), Error> {
        for _ in 0..ENDS {
            let ended = match self.store.standing(self.granted, edge).await? {
                EdgeStanding::Ended => true,
                EdgeStanding::Orphan => self.store.cut_orphan(self.granted, edge).await?,
                EdgeStanding::There | EdgeStanding::OfDeleted => self.store.cut(self.granted, edge, self.now).await?,
            };
            if ended {
                return Ok(());
            }
        }
        Err(Error::Internal { operation: "end of a nesting", code: "conditions keep failing".into() })
    }

    /// Rule 6. Begins only once the nesting is seen by nobody any more.
    async fn sweep(&self, edge: &Edge, cursor: Option<&str>) -> Result<Page, Error> {
        if cursor.is_none() && self.store.standing(self.granted, edge).await? != EdgeStanding::Ended {
            return Ok(Page::default());
        }
        self.settle_members(edge, &edge.parent, Some(edge.id), cursor).await
    }

    /// Settles the links of an edge to the next members of a group.
    async fn settle_members(
        &self,
        edge: &Edge,
        of: &GroupId,
        via: Option<EdgeId>,
        cursor: Option<&str>,
    ) -> Result<Page, Error> {
        let after = cursor.and_then(AccountId::parse);
        let (accounts, next) = self.store.members_after(self.granted, of, via, after.as_ref(), PAGE).await?;
        let looked_at = accounts.len() as u64;
        let links: Vec<Link> = accounts.into_iter().map(|account| Link { edge: *edge, account }).collect();
        let settled = self.store.settle(self.granted, &links, self.now).await?;
        let moved = depending(&links, &settled).pop_first();
        let moved = moved.map(|(group, accounts)| (group, accounts.into_iter().collect()));
        Ok(Page { next: next.map(String::from), looked_at, moved })
    }

    /// Rule 7. Out of the search and of the nesting first, so that nothing climbs from the rows that go; then the rows, the group's own
    /// last.
    async fn delete_group(&self, group: &GroupId, cursor: Option<&str>) -> Result<Page, Error> {
        const NESTING: &str = "nesting";
        const MEMBERS: &str = "members";
        let more = |next: &str, looked_at| Page { next: Some(next.into()), looked_at, moved: None };
        if cursor != Some(MEMBERS) {
            if self.store.is_active(self.granted, group).await? {
                return Ok(Page::default());
            }
            self.store.purge_name(self.granted, group).await?;
            let mut edges = self.store.children(self.granted, group).await?;
            edges.extend(self.store.parents(self.granted, group).await?);
            for edge in edges {
                self.end(&edge).await?;
            }
            return Ok(more(MEMBERS, 0));
        }
        let (accounts, _) = self.store.members_after(self.granted, group, None, None, PAGE).await?;
        self.store.purge_members(self.granted, group, &accounts, self.now).await?;
        if !accounts.is_empty() {
            return Ok(more(MEMBERS, accounts.len() as u64));
        }
        self.expire_trails(group).await?;
        match self.store.finish_deletion(self.granted, group).await? {
            true => Ok(Page::default()),
            // A nesting that was under way when the group was deleted.
            false => Ok(more(NESTING, 0)),
        }
    }

    /// Has the trails go in time of those too who left the group before it was deleted.
    async fn expire_trails(&self, group: &GroupId) -> Result<(), Error> {
        let mut after = None;
        loop {
            after = self.store.expire_trails(self.granted, group, after.as_ref(), TRAILS, self.now).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Rule 8.
    async fn update_account(&self, account: &AccountId, cursor: Option<&str>) -> Result<Page, Error> {
        let after = cursor.and_then(GroupId::parse);
        let (groups, next) = self.store.memberships_after(self.granted, account, after.as_ref(), PAGE).await?;
        let looked_at = groups.len() as u64;
        let members: BTreeSet<_> = groups.into_iter().map(|group| (group, account.clone())).collect();
        self.store.update_members(self.granted, &members, self.now).await?;
        Ok(Page { next: next.map(String::from), looked_at, moved: None })
    }
}
