//! Rules 3 and 4, through all levels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Propagation;
use crate::domain::{AccountId, Edge, Error, GroupId};
use crate::store::{Link, Settled, Standing};

/// Groups, and in each the accounts that came or went.
type Frontier = BTreeMap<GroupId, BTreeSet<AccountId>>;

impl Propagation<'_> {
    /// Carries it up through every group above that accounts have become members of a group, or none. Level by level:
    /// one `GetItem` to begin with, then a read and a transaction for each level.
    ///
    /// # Errors
    /// The table did not answer: the table's stream has the rest done.
    pub async fn climb(&self, group: &GroupId, accounts: &[AccountId]) -> Result<(), Error> {
        let parents = self.store.parents(self.granted, group).await?;
        let mut above = HashMap::from([(*group, parents)]);
        let mut frontier = Frontier::from([(*group, accounts.iter().cloned().collect())]);
        loop {
            let links = links(&frontier, &above);
            if links.is_empty() {
                return Ok(());
            }
            let settled = self.store.settle(self.granted, &links, self.now).await?;
            frontier = depending(&links, &settled);
            above = settled.above;
        }
    }
}

/// What groups' members may be members of by the nestings of the groups.
pub(super) fn links(frontier: &Frontier, above: &HashMap<GroupId, Vec<Edge>>) -> Vec<Link> {
    let mut links = Vec::new();
    for (group, accounts) in frontier {
        for edge in above.get(group).into_iter().flatten() {
            links.extend(accounts.iter().map(|account| Link { edge: *edge, account: account.clone() }));
        }
    }
    links
}

/// Where the groups further above depend on what was settled.
pub(super) fn depending(links: &[Link], settled: &Settled) -> Frontier {
    let mut frontier = Frontier::new();
    for (link, standing) in links.iter().zip(&settled.standings) {
        if *standing == Standing::Decisive {
            frontier.entry(link.edge.parent).or_default().insert(link.account.clone());
        }
    }
    frontier
}
