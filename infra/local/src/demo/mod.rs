//! Demo data, the same on every machine.

mod group;
mod large;
mod small;

use clap::ValueEnum;
use futures::stream::{self, StreamExt, TryStreamExt};
use shared::authz::{Administer, Caller, Granted, Policy};
use shared::domain::group::Description;
use shared::domain::{
    Account, AccountId, AccountVersion, Actor, ChangeOutcome, Error, Group, GroupId, GroupName, GroupProfile, JobKind,
    MemberChange, Moment, Precondition, PrincipalId, Timestamp,
};
use shared::propagation::Propagation;
use shared::store::Store;

pub use self::group::DemoGroup;
use self::group::FIRST_ACCOUNT;
use crate::Problem;

/// How much data a new table begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Demo {
    /// None.
    None,
    /// 45 accounts in nine groups, nested in three levels.
    Small,
    /// 5,000 accounts in 500 groups, nested in six levels, among them the small data.
    Large,
}

/// 2024-01-15T10:30:00Z, in seconds.
const CREATED_AT: u32 = 1_705_314_600;

/// Groups or accounts that are written side by side.
const SIDE_BY_SIDE: usize = 16;

/// Groups, each with another that manages it: the Engineering Leads manage the Engineering Team.
const MANAGERS: [(usize, usize); 1] = [(0, 4)];

/// Changes of members in one call, as in the API.
const CHANGES: usize = 500;

impl Demo {
    /// The groups, each after those it is nested in.
    #[must_use]
    pub fn groups(self) -> Vec<DemoGroup> {
        match self {
            Self::None => Vec::new(),
            Self::Small => small::groups(),
            Self::Large => large::groups(),
        }
    }

    /// The accounts.
    #[must_use]
    pub fn accounts(self) -> Vec<Account> {
        let number = match self {
            Self::None => 0,
            Self::Small => small::NAMES.len(),
            Self::Large => large::ACCOUNTS,
        };
        (FIRST_ACCOUNT..).take(number).filter_map(account).collect()
    }
}

/// Returns the id of Engineering Team, which is the same on every machine.
#[must_use]
pub fn engineering_team() -> GroupId {
    group_id(0)
}

fn group_id(index: usize) -> GroupId {
    // The index goes into the upper bits of the random part, where it shows in the id.
    GroupId::new(u64::from(CREATED_AT) * 1_000, (index as u128 + 1) << 48)
}

/// Writes the demo data to an empty table.
///
/// # Errors
/// The table refuses the data.
pub async fn fill(store: &Store, policy: &Policy, demo: Demo) -> Result<(), Problem> {
    let failed = |error: Error| Problem::new("cannot write the demo data", error);
    let no_administrator = || Problem("the demo data need an administrator".into());
    let roles = vec![policy.admin_role.clone(), policy.privileged_role.clone()];
    let caller = Caller::new("demo", roles).ok_or_else(no_administrator)?;
    let administer = policy.authorize::<Administer>(&caller).map_err(|_| no_administrator())?;
    write(store, &administer, demo).await.map_err(failed)
}

async fn write(store: &Store, granted: &Granted<Administer>, demo: Demo) -> Result<(), Error> {
    let (source, accounts, groups) = (Actor::new("demo"), demo.accounts(), demo.groups());
    let put = accounts.iter().map(|account| store.put_account(&source, account));
    stream::iter(put).buffer_unordered(SIDE_BY_SIDE).try_for_each(|_| async { Ok(()) }).await?;
    let create = groups.iter().enumerate().map(|(index, demo)| create_group(store, granted, index, demo));
    stream::iter(create).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
    // Before there are members, so that nothing is carried up.
    for (index, demo) in groups.iter().enumerate() {
        nest_groups(store, granted, index, demo).await?;
    }
    for (group, manager) in MANAGERS.into_iter().filter(|(group, _)| *group < groups.len()) {
        store.add_manager(granted, &group_id(group), &PrincipalId::Group(group_id(manager)), created_at()).await?;
    }
    let fill = groups.iter().enumerate().map(|(index, demo)| add_members(store, granted, index, demo));
    stream::iter(fill).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
    // The stream would do so, but the first list may come earlier.
    let ids: Vec<GroupId> = (0..groups.len()).map(group_id).collect();
    let copy = ids.iter().map(|id| store.copy_counts(id));
    stream::iter(copy).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await
}

fn account_id(number: u16) -> Option<AccountId> {
    AccountId::parse(&format!("acc-{number}"))
}

fn account(number: u16) -> Option<Account> {
    let name = large::name(usize::from(number - FIRST_ACCOUNT));
    Some(Account {
        id: account_id(number)?,
        email: format!("{name}@company.com"),
        name,
        status: if number.is_multiple_of(20) { "inactive" } else { "active" }.to_owned(),
        version: AccountVersion::at(Moment::from(created_at())),
    })
}

async fn create_group(
    store: &Store,
    granted: &Granted<Administer>,
    index: usize,
    demo: &DemoGroup,
) -> Result<(), Error> {
    let unfit = |_| Error::Internal { operation: "demo data", code: "unfit".into() };
    let profile = GroupProfile {
        description: Description::parse(&demo.description).map_err(unfit)?,
        group_type: demo.group_type,
        is_privileged: demo.is_privileged,
        ..GroupProfile::named(GroupName::parse(&demo.name).map_err(unfit)?)
    };
    let group = Group::new(group_id(index), profile, created_at());
    store.create_group(granted, group, None, None).await.map(|_| ())
}

async fn add_members(
    store: &Store,
    granted: &Granted<Administer>,
    index: usize,
    demo: &DemoGroup,
) -> Result<(), Error> {
    let (group, created_at) = (group_id(index), created_at());
    let propagation = Propagation { store, actor: Some(granted.actor()), now: created_at };
    let members: Vec<AccountId> = demo.members.iter().filter_map(|number| account_id(*number)).collect();
    for some in members.chunks(CHANGES) {
        let changes: Vec<MemberChange> = some.iter().cloned().map(MemberChange::add).collect();
        let changed = store
            .change_members(&granted.to_manage_members(), &group, &changes, &Precondition::NONE, created_at)
            .await?;
        if changed.leave_to_stream().contains(&ChangeOutcome::Retry) {
            return Err(Error::Unavailable { operation: "demo data" });
        }
        // Where a transaction had no room for all groups above.
        propagation.propagate_members(&group, some).await?;
    }
    Ok(())
}

async fn nest_groups(
    store: &Store,
    granted: &Granted<Administer>,
    index: usize,
    demo: &DemoGroup,
) -> Result<(), Error> {
    let propagation = Propagation { store, actor: Some(granted.actor()), now: created_at() };
    for child in &demo.nested {
        let nested =
            store.nest_group(granted, &group_id(index), &group_id(*child), &Precondition::NONE, created_at()).await?;
        propagation.complete_job(&JobKind::Backfill(nested.leave_to_stream().edge)).await?;
    }
    Ok(())
}

fn created_at() -> Timestamp {
    Timestamp::from_unix_seconds(i64::from(CREATED_AT))
}
