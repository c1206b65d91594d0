//! Demo data: 45 accounts in nine groups. Engineering Team with 45 members is the example of the API's contract.

use shared::authz::{Administer, Caller, Granted, Policy};
use shared::domain::group::Description;
use shared::domain::{
    Account, AccountId, AccountVersion, Actor, ChangeOutcome, Error, Group, GroupId, GroupName, GroupProfile,
    GroupType, JobKind, MemberChange, Moment, Precondition, Timestamp,
};
use shared::propagation::Propagation;
use shared::store::Store;

use crate::Problem;

/// 2024-01-15T10:30:00Z, in seconds.
const CREATED_AT: u32 = 1_705_314_600;

/// Names of the accounts acc-101 to acc-145.
const ACCOUNTS: [&str; 45] = [
    "ada.larsen",
    "amir.haddad",
    "anna.kowalska",
    "ben.okafor",
    "bianca.rossi",
    "carlos.mendes",
    "chen.wei",
    "clara.jensen",
    "daniel.cohen",
    "diana.popescu",
    "elif.yilmaz",
    "emma.wright",
    "farid.rahimi",
    "fatima.zahra",
    "george.nikolaou",
    "grace.kim",
    "hana.novak",
    "henrik.berg",
    "ines.garcia",
    "ivan.petrov",
    "jane.smith",
    "jonas.keller",
    "john.doe",
    "julia.meier",
    "kenji.tanaka",
    "laila.hassan",
    "leo.fischer",
    "lucia.moreno",
    "maria.silva",
    "mark.taylor",
    "mei.lin",
    "nadia.ali",
    "noah.brown",
    "olga.ivanova",
    "oscar.lind",
    "paul.martin",
    "priya.sharma",
    "rachel.green",
    "rosa.diaz",
    "samir.khan",
    "sofia.costa",
    "tom.baker",
    "uma.patel",
    "viktor.horvat",
    "zoe.dubois",
];

struct DemoGroup {
    name: &'static str,
    description: &'static str,
    group_type: GroupType,
    is_privileged: bool,
    /// Whether the account with this number is a direct member.
    has_direct: fn(u16) -> bool,
    /// Indexes of the nested groups. A nested group follows its parents in the list.
    nested: &'static [usize],
}

const GROUPS: [DemoGroup; 9] = [
    DemoGroup {
        name: "Engineering Team",
        description: "All engineering staff",
        group_type: GroupType::Security,
        is_privileged: false,
        has_direct: |number| number <= 140,
        nested: &[1, 2],
    },
    DemoGroup {
        name: "Backend Team",
        description: "Services and their tables",
        group_type: GroupType::Security,
        is_privileged: false,
        has_direct: |number| matches!(number, 120..=130 | 141 | 142),
        nested: &[3],
    },
    DemoGroup {
        name: "Frontend Team",
        description: "Everything people see",
        group_type: GroupType::Security,
        is_privileged: false,
        has_direct: |number| matches!(number, 131..=136 | 142 | 143),
        nested: &[3],
    },
    DemoGroup {
        name: "On-call",
        description: "People who are woken up at night",
        group_type: GroupType::Security,
        is_privileged: true,
        has_direct: |number| matches!(number, 125 | 133 | 144 | 145),
        nested: &[],
    },
    DemoGroup {
        name: "Engineering Leads",
        description: "Leads of the engineering teams",
        group_type: GroupType::Security,
        is_privileged: true,
        has_direct: |number| number % 9 == 1,
        nested: &[],
    },
    DemoGroup {
        name: "Finance",
        description: "Accounting and controlling",
        group_type: GroupType::Security,
        is_privileged: false,
        has_direct: |number| number % 7 == 2,
        nested: &[],
    },
    DemoGroup {
        name: "Newsletter",
        description: "Gets the monthly newsletter",
        group_type: GroupType::Distribution,
        is_privileged: false,
        has_direct: |number| number % 2 == 0,
        nested: &[],
    },
    DemoGroup {
        name: "Büro Hauptstraße",
        description: "Everyone at the office in Hauptstraße",
        group_type: GroupType::Distribution,
        is_privileged: false,
        has_direct: |number| number % 5 == 0,
        nested: &[],
    },
    DemoGroup {
        name: "Break-glass Administrators",
        description: "For emergencies; empty on a good day",
        group_type: GroupType::Security,
        is_privileged: true,
        has_direct: |_| false,
        nested: &[],
    },
];

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
pub async fn fill(store: &Store, policy: &Policy) -> Result<(), Problem> {
    let failed = |error: Error| Problem::new("cannot write the demo data", error);
    let no_administrator = || Problem("the demo data need an administrator".into());
    let caller = Caller::new("demo", vec![policy.admin_role.clone()]).ok_or_else(no_administrator)?;
    let administer = policy.authorize::<Administer>(&caller).map_err(|_| no_administrator())?;
    let source = Actor::new("demo");
    for account in accounts() {
        store.put_account(&source, &account).await.map_err(failed)?;
    }
    for (index, demo) in GROUPS.iter().enumerate() {
        fill_group(store, &administer, index, demo).await.map_err(failed)?;
    }
    // From the deepest level up, so that each nesting carries all members of its child.
    for (index, demo) in GROUPS.iter().enumerate().rev() {
        nest_groups(store, &administer, index, demo).await.map_err(failed)?;
    }
    // The stream would do so, but the first list may come earlier.
    for index in 0..GROUPS.len() {
        store.copy_counts(&group_id(index)).await.map_err(failed)?;
    }
    Ok(())
}

fn accounts() -> impl Iterator<Item = Account> {
    (101..).zip(ACCOUNTS).filter_map(|(number, name)| {
        Some(Account {
            id: AccountId::parse(&format!("acc-{number}"))?,
            name: name.to_owned(),
            email: format!("{name}@company.com"),
            status: if number % 20 == 0 { "inactive" } else { "active" }.to_owned(),
            version: AccountVersion::at(Moment::from(Timestamp::from_unix_seconds(CREATED_AT.into()))),
        })
    })
}

async fn fill_group(store: &Store, granted: &Granted<Administer>, index: usize, demo: &DemoGroup) -> Result<(), Error> {
    let unfit = |_| Error::Internal { operation: "demo data", code: "unfit".into() };
    let profile = GroupProfile {
        description: Description::parse(demo.description).map_err(unfit)?,
        group_type: demo.group_type,
        is_privileged: demo.is_privileged,
        ..GroupProfile::named(GroupName::parse(demo.name).map_err(unfit)?)
    };
    let created_at = created_at();
    let group = Group::new(group_id(index), profile, created_at);
    let group = store.create_group(granted, group, None).await?.leave_to_stream();
    let members = (101..).zip(accounts()).filter(|(number, _)| (demo.has_direct)(*number));
    let changes: Vec<MemberChange> = members.map(|(_, account)| MemberChange::Add(account.id)).collect();
    let outcomes =
        store.change_members(granted, &group.id, &changes, &Precondition::NONE, created_at).await?.leave_to_stream();
    match outcomes.contains(&ChangeOutcome::Retry) {
        true => Err(Error::Unavailable { operation: "demo data" }),
        false => Ok(()),
    }
}

async fn nest_groups(
    store: &Store,
    granted: &Granted<Administer>,
    index: usize,
    demo: &DemoGroup,
) -> Result<(), Error> {
    let propagation = Propagation { store, actor: Some(granted.actor()), now: created_at() };
    for child in demo.nested {
        let nested =
            store.nest_group(granted, &group_id(index), &group_id(*child), &Precondition::NONE, created_at()).await?;
        propagation.complete_job(&JobKind::Backfill(nested.leave_to_stream().edge)).await?;
    }
    Ok(())
}

fn created_at() -> Timestamp {
    Timestamp::from_unix_seconds(i64::from(CREATED_AT))
}
