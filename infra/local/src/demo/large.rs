//! The large demo data: a company of five divisions, in six levels, beside the small data.

use shared::domain::GroupType;

use super::group::{DemoGroup, FIRST_ACCOUNT};
use super::small;

/// Accounts, those of the small data included.
pub(super) const ACCOUNTS: usize = 5_000;

const DIVISIONS: [&str; 5] = ["Operations", "People", "Product", "Research", "Sales"];
const DEPARTMENTS: [&str; 4] = ["Central", "North", "Overseas", "South"];
const SITES: [&str; 3] = ["Berlin", "Lisbon", "Osaka"];
const TEAMS: [&str; 3] = ["Blue", "Green", "Red"];

/// Groups in the lowest level. Every team has one; the first ones have two.
const SHIFTS: usize = 225;

/// The small data's groups and the company's, each after those it is nested in.
pub(super) fn groups() -> Vec<DemoGroup> {
    let mut groups = small::groups();
    let company = groups.len();
    groups.push(group("Company", "Everyone"));
    let mut level = vec![company];
    level = below(&mut groups, &level, &DIVISIONS, |_, name| name.to_owned());
    level = below(&mut groups, &level, &DEPARTMENTS, |parent, name| format!("{parent} {name}"));
    level = below(&mut groups, &level, &SITES, |parent, name| format!("{parent}, {name}"));
    level = below(&mut groups, &level, &TEAMS, |parent, name| format!("{parent}, {name} Team"));
    let early = below(&mut groups, &level, &["Early Shift"], |parent, name| format!("{parent}, {name}"));
    let late =
        below(&mut groups, &level[..SHIFTS - early.len()], &["Late Shift"], |parent, name| format!("{parent}, {name}"));
    let shifts: Vec<usize> = early.into_iter().chain(late).collect();
    for (number, shift) in (FIRST_ACCOUNT..).take(ACCOUNTS).zip(shifts.iter().cycle()) {
        groups[*shift].members.push(number);
    }
    groups
}

/// Adds groups with these names to each of the parents. Returns their indexes.
fn below(
    groups: &mut Vec<DemoGroup>,
    parents: &[usize],
    names: &[&str],
    full_name: fn(&str, &str) -> String,
) -> Vec<usize> {
    let mut added = Vec::new();
    for parent in parents {
        for name in names {
            let index = groups.len();
            let above = &mut groups[*parent];
            above.nested.push(index);
            let child = group(&full_name(&above.name, name), &format!("A part of {}", above.name));
            groups.push(child);
            added.push(index);
        }
    }
    added
}

fn group(name: &str, description: &str) -> DemoGroup {
    DemoGroup {
        name: name.to_owned(),
        description: description.to_owned(),
        group_type: GroupType::Security,
        is_privileged: false,
        members: Vec::new(),
        nested: Vec::new(),
    }
}

/// The name of the account at this index. After the names of the small data come pairs of their parts.
pub(super) fn name(index: usize) -> String {
    let people = small::NAMES.len();
    let part = |index: usize, side: usize| small::NAMES[index % people].split('.').nth(side).unwrap_or_default();
    let Some(pair) = index.checked_sub(people) else { return small::NAMES[index].to_owned() };
    // Shifted, so that no pair is one of the names.
    let (first, last) = (part(pair, 0), part(pair + 1 + pair / people, 1));
    match pair / (people * (people - 1)) {
        0 => format!("{first}.{last}"),
        namesake => format!("{first}.{last}.{}", namesake + 1),
    }
}
