//! Data to try the API with, the contract's own example among them: Engineering Team with its 45 members.

use shared::authz::{Administer, Caller, Granted, Ingest, Policy};
use shared::domain::group::Description;
use shared::domain::{
    Account, AccountId, AccountVersion, Change, Error, Group, GroupId, GroupName, GroupProfile, GroupType, Outcome,
    Timestamp,
};
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
    /// Every so manieth account is a member.
    every: usize,
}

const GROUPS: [DemoGroup; 6] = [
    DemoGroup {
        name: "Engineering Team",
        description: "All engineering staff",
        group_type: GroupType::Security,
        is_privileged: false,
        every: 1,
    },
    DemoGroup {
        name: "Engineering Leads",
        description: "Leads of the engineering teams",
        group_type: GroupType::Security,
        is_privileged: true,
        every: 9,
    },
    DemoGroup {
        name: "Finance",
        description: "Accounting and controlling",
        group_type: GroupType::Security,
        is_privileged: false,
        every: 7,
    },
    DemoGroup {
        name: "Newsletter",
        description: "Gets the monthly newsletter",
        group_type: GroupType::Distribution,
        is_privileged: false,
        every: 2,
    },
    DemoGroup {
        name: "Büro Hauptstraße",
        description: "Everyone at the office in Hauptstraße",
        group_type: GroupType::Distribution,
        is_privileged: false,
        every: 5,
    },
    DemoGroup {
        name: "Break-glass Administrators",
        description: "For emergencies; empty on a good day",
        group_type: GroupType::Security,
        is_privileged: true,
        every: 100,
    },
];

/// The id of Engineering Team, the same on every machine.
#[must_use]
pub fn engineering_team() -> GroupId {
    group_id(0)
}

fn group_id(index: usize) -> GroupId {
    // The upper bits of the random part, so that they show in the id.
    GroupId::new(u64::from(CREATED_AT) * 1_000, (index as u128 + 1) << 48)
}

/// Fills an empty table.
///
/// # Errors
/// The table does not take the data.
pub async fn fill(store: &Store, policy: &Policy) -> Result<(), Problem> {
    let failed = |error: Error| Problem::new("cannot write the demo data", error);
    let nobody = || Problem("the demo data need an administrator".into());
    let caller = Caller::new("demo", vec![policy.admin_role.clone()]).ok_or_else(nobody)?;
    let administer = policy.authorize::<Administer>(&caller).map_err(|_| nobody())?;
    let ingest: Granted<Ingest> = Granted::event_source("demo");
    for account in accounts() {
        store.put_account(&ingest, &account).await.map_err(failed)?;
    }
    for (index, demo) in GROUPS.iter().enumerate() {
        fill_group(store, &administer, index, demo).await.map_err(failed)?;
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
            version: AccountVersion(i64::from(CREATED_AT) * 1_000_000_000),
        })
    })
}

async fn fill_group(store: &Store, granted: &Granted<Administer>, index: usize, demo: &DemoGroup) -> Result<(), Error> {
    let unfit = |_| Error::Internal { operation: "demo data", code: "unfit".into() };
    let profile = GroupProfile {
        name: GroupName::parse(demo.name).map_err(unfit)?,
        description: Description::parse(demo.description).map_err(unfit)?,
        group_type: demo.group_type,
        is_privileged: demo.is_privileged,
    };
    let created_at = Timestamp::from_unix_seconds(i64::from(CREATED_AT));
    let group = store.create_group(granted, Group::new(group_id(index), profile, created_at), None).await?;
    let members = accounts().skip(demo.every - 1).step_by(demo.every);
    let changes: Vec<Change> = members.map(|account| Change::Add(account.id)).collect();
    let outcomes = store.change_members(granted, &group.id, &changes, created_at).await?;
    match outcomes.contains(&Outcome::Retry) {
        true => Err(Error::Unavailable { operation: "demo data" }),
        false => Ok(()),
    }
}
