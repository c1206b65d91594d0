//! The small demo data: 45 accounts in nine groups. Engineering Team with 45 members is the example of the API's contract.

use shared::domain::GroupType::{self, Distribution, Security};

use super::group::{DemoGroup, FIRST_ACCOUNT};

/// Names of the accounts from [`FIRST_ACCOUNT`] on.
pub(super) const NAMES: [&str; 45] = [
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

type Team = (&'static str, &'static str, GroupType, bool, fn(u16) -> bool, &'static [usize]);

/// Name, description, type, whether it is privileged, which numbers of accounts are direct members, and nested groups.
const GROUPS: [Team; 9] = [
    ("Engineering Team", "All engineering staff", Security, false, |number| number <= 140, &[1, 2]),
    (
        "Backend Team",
        "Services and their tables",
        Security,
        false,
        |number| matches!(number, 120..=130 | 141 | 142),
        &[3],
    ),
    ("Frontend Team", "Everything people see", Security, false, |number| matches!(number, 131..=136 | 142 | 143), &[3]),
    (
        "On-call",
        "People who are woken up at night",
        Security,
        false,
        |number| [125, 133, 144, 145].contains(&number),
        &[],
    ),
    ("Engineering Leads", "Leads of the engineering teams", Security, true, |number| number % 9 == 1, &[]),
    ("Finance", "Accounting and controlling", Security, false, |number| number % 7 == 2, &[]),
    ("Newsletter", "Gets the monthly newsletter", Distribution, false, |number| number % 2 == 0, &[]),
    ("Büro Hauptstraße", "Everyone at the office in Hauptstraße", Distribution, false, |number| number % 5 == 0, &[]),
    ("Break-glass Administrators", "For emergencies; empty on a good day", Security, true, |_| false, &[]),
];

/// The groups, each after those it is nested in.
pub(super) fn groups() -> Vec<DemoGroup> {
    let group = |(name, description, group_type, is_privileged, has, nested): Team| DemoGroup {
        name: name.to_owned(),
        description: description.to_owned(),
        group_type,
        is_privileged,
        members: (FIRST_ACCOUNT..).take(NAMES.len()).filter(|number| has(*number)).collect(),
        nested: nested.to_vec(),
    };
    GROUPS.map(group).into()
}
