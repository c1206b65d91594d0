//! The key of each row type: how it is spelled, and the way back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest, Sha256};

use super::attribute::Attribute;
use super::job::{job_text, parse_job};
use crate::domain::{
    AccountId, ExternalId, FoldedText, GroupFilter, GroupId, GroupType, JobKind, SortKey, Suffix, Timestamp,
};

/// A row, or its key, in the SDK's form.
pub type Attributes = HashMap<String, AttributeValue>;

/// Partitions of the job rows. A list of all jobs reads each of them.
pub const JOB_PARTITIONS: usize = 8;

/// Partitions of the times at which memberships start, end or are announced to end. The sweep reads each of them.
pub const DUE_PARTITIONS: usize = 8;

/// Count shards of a group. Each counts the members whose ids [`spread`] to it.
pub const COUNT_SHARDS: usize = 16;

/// Separates a text from an id in a sort key. It sorts below every character of a name, so that `ab` comes before
/// `ab cd`. A `#` would sort after the space.
pub(super) const SEPARATOR: char = '\u{1}';

/// The character after it.
pub(super) const AFTER_SEPARATOR: char = '\u{2}';

/// The partition of the list of all groups.
const GROUPS: &str = "GROUPS";

/// The partition of the list of all accounts.
pub(super) const ACCOUNTS: &str = "ACCOUNTS";

/// Partitions of e-mail addresses, and of external ids, so that an import of accounts does not write to one alone.
const EMAIL_PARTITIONS: usize = 64;

/// Returns the partition of a text, from 0 to `partitions - 1`, by a fixed hash. Stored keys depend on it.
#[must_use]
pub fn spread(text: &str, partitions: usize) -> usize {
    let digest = Sha256::digest(text);
    let first = digest.iter().take(4).fold(0, |number, byte| (number << 8) | usize::from(*byte));
    first % partitions
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(super) partition: String,
    pub(super) sort: String,
}

impl Key {
    /// The row of a group.
    #[must_use]
    pub fn group(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "GROUP".into() }
    }

    /// The row of a member of a group.
    #[must_use]
    pub fn member(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("MEMBER#{account}") }
    }

    /// A count shard of a group.
    #[must_use]
    pub fn count(group: &GroupId, shard: usize) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("COUNT#{shard:02}") }
    }

    /// The row of a group nested directly in another, in the parent's partition.
    #[must_use]
    pub fn child(parent: &GroupId, child: &GroupId) -> Self {
        Self { partition: format!("GROUP#{parent}"), sort: format!("CHILD#{child}") }
    }

    /// The row with the parents of a group.
    #[must_use]
    pub fn nesting(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "NEST".into() }
    }

    /// The row with the managers of a group. It sorts after the members, so that no other range includes it.
    #[must_use]
    pub fn managers(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "OWNERS".into() }
    }

    /// The entry of a group in a list of groups, by name. There is a list for each filter.
    #[must_use]
    pub fn list_entry(filter: GroupFilter, name: &SortKey, group: &GroupId) -> Self {
        Self { partition: list_partition(filter), sort: text_and_id(name, group) }
    }

    /// The row by which searches find a group by a part of its name. Its partition is the part's first one, two or three
    /// characters.
    #[must_use]
    pub fn search_row(suffix: &Suffix, group: &GroupId) -> Self {
        let text = &suffix.text;
        Self { partition: search_partition(text.as_str(), suffix.gram), sort: text_and_id(text, group) }
    }

    /// The row for a text and a group where a search for this term finds it.
    #[must_use]
    pub fn search_hit(term: &FoldedText, text: &SortKey, group: &GroupId) -> Self {
        Self { partition: term_partition(term.sort_key().as_str()), sort: text_and_id(text, group) }
    }

    /// The row by which a group is found by its external id. There is one for each id.
    #[must_use]
    pub fn external_id(id: &ExternalId) -> Self {
        Self { partition: format!("EXTERNAL#{}", id.as_str()), sort: "EXTERNAL".into() }
    }

    /// The audit record of an account's membership in a group. It sorts after every other row of the group, so that no other
    /// range includes it.
    #[must_use]
    pub fn audit_record(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("TRAIL#{account}") }
    }

    /// The row of an account.
    #[must_use]
    pub fn account(account: &AccountId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: "ACCOUNT".into() }
    }

    /// The row by which an account is found in a list.
    #[must_use]
    pub fn account_text(list: AccountList, text: &SortKey, account: &AccountId) -> Self {
        let text = text.as_str();
        Self { partition: list.partition(text), sort: format!("{text}{SEPARATOR}{account}") }
    }

    /// The row with the ends of an account's direct memberships. It sorts after every other row of the account, so that no other
    /// range includes it.
    #[must_use]
    pub fn ends(account: &AccountId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: "UNTIL".into() }
    }

    /// The row by which the sweep finds, from this time on, a membership that may have to start or to end.
    #[must_use]
    pub fn due(at: Timestamp, group: &GroupId, account: &AccountId) -> Self {
        let partition = due_partition(spread(account.as_str(), DUE_PARTITIONS));
        Self { partition, sort: format!("{at}#{group}#{account}") }
    }

    /// The mirror of a member row, in the account's partition.
    #[must_use]
    pub fn mirror(account: &AccountId, group: &GroupId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: format!("GROUP#{group}") }
    }

    /// An entry in the history of a group. `subject` is the changed account or group, `revision` the number of its change. It sorts
    /// after the members, so that no other range includes it.
    #[must_use]
    pub fn group_history(group: &GroupId, at: Timestamp, subject: &str, revision: u64) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: history_text(at, subject, revision) }
    }

    /// An entry in the history of an account: a change of its membership in a group.
    #[must_use]
    pub fn account_history(account: &AccountId, at: Timestamp, group: &GroupId, revision: u64) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: history_text(at, &group.to_string(), revision) }
    }

    /// A position in the history of a group: the text of [`Self::history_position`].
    #[must_use]
    pub fn in_group_history(group: &GroupId, position: &str) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("TIME#{position}") }
    }

    /// A position in the history of an account.
    #[must_use]
    pub fn in_account_history(account: &AccountId, position: &str) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: format!("TIME#{position}") }
    }

    /// The last state of a group that was deleted.
    #[must_use]
    pub fn deleted_group(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "PAST".into() }
    }

    /// The row that changes whenever a name is given that must be unique among groups or accounts.
    #[must_use]
    pub fn unique_name(named: Named, name: &SortKey) -> Self {
        let kind = match named {
            Named::Group => "GROUP",
            Named::Account => "ACCOUNT",
        };
        Self { partition: format!("UNIQUE#{kind}#{}", name.as_str()), sort: "UNIQUE".into() }
    }

    /// The row of a caller's idempotency key.
    #[must_use]
    pub fn idempotency(digest: &str) -> Self {
        Self { partition: format!("IDEMPOTENCY#{digest}"), sort: "IDEMPOTENCY".into() }
    }

    /// The row of a job. Its key has the kind and the arguments.
    #[must_use]
    pub fn job(kind: &JobKind) -> Self {
        let sort = job_text(kind);
        Self { partition: format!("JOBS#{}", spread(&sort, JOB_PARTITIONS)), sort }
    }

    /// The row of a job in a table of the first design.
    #[must_use]
    pub fn first_design_job(kind: &JobKind) -> Self {
        Self { partition: job_text(kind), sort: "JOB".into() }
    }

    /// Parses the key of a group.
    #[must_use]
    pub fn as_group(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "GROUP")
    }

    /// Parses the key of a member.
    #[must_use]
    pub fn as_member(&self) -> Option<(GroupId, AccountId)> {
        Some((self.group_of_partition()?, AccountId::parse(self.sort.strip_prefix("MEMBER#")?)?))
    }

    /// Parses the key of a count shard.
    #[must_use]
    pub fn as_count(&self) -> Option<(GroupId, usize)> {
        let shard = self.sort.strip_prefix("COUNT#")?.parse().ok()?;
        let group = self.group_of_partition()?;
        (Self::count(&group, shard) == *self).then_some((group, shard))
    }

    /// Parses the key of a nested group: the parent, then the child.
    #[must_use]
    pub fn as_child(&self) -> Option<(GroupId, GroupId)> {
        Some((self.group_of_partition()?, GroupId::parse(self.sort.strip_prefix("CHILD#")?)?))
    }

    /// Parses the key of the row with a group's parents.
    #[must_use]
    pub fn as_nesting(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "NEST")
    }

    /// Parses the key of the row with a group's managers.
    #[must_use]
    pub fn as_managers(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "OWNERS")
    }

    /// Whether this is the key of a row by which a group is found by its external id.
    #[must_use]
    pub fn is_external_id(&self) -> bool {
        self.sort == "EXTERNAL" && self.partition.starts_with("EXTERNAL#")
    }

    /// Parses the key of an entry in a list of groups: the name, as cut, and the group.
    #[must_use]
    pub fn as_list_entry(&self) -> Option<(SortKey, GroupId)> {
        if is_list_partition(&self.partition) { self.text_and_id_of_sort() } else { None }
    }

    /// Parses the key of a search row: the part of the name, as cut, and the group.
    #[must_use]
    pub fn as_search_row(&self) -> Option<(SortKey, GroupId)> {
        self.partition.strip_prefix("SEARCH#").and_then(|_| self.text_and_id_of_sort())
    }

    fn text_and_id_of_sort(&self) -> Option<(SortKey, GroupId)> {
        let (text, id) = self.sort.split_once(SEPARATOR)?;
        Some((SortKey::cut(text), GroupId::parse(id)?))
    }

    /// Parses the key of a search row in a table of the first design: the group.
    #[must_use]
    pub fn as_first_design_name(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort.starts_with("NAME#"))
    }

    /// Parses the key of the last state of a group that was deleted.
    #[must_use]
    pub fn as_deleted_group(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "PAST")
    }

    /// Parses the key of an entry in a history: when the change was made.
    #[must_use]
    pub fn as_history(&self) -> Option<Timestamp> {
        let (at, _) = self.sort.strip_prefix("TIME#")?.split_once('#')?;
        Timestamp::try_from(at.to_owned()).ok()
    }

    /// The text after which a history goes on.
    #[must_use]
    pub fn history_position(&self) -> Option<&str> {
        self.sort.strip_prefix("TIME#")
    }

    /// Parses the key of an audit record.
    #[must_use]
    pub fn as_audit_record(&self) -> Option<(GroupId, AccountId)> {
        Some((self.group_of_partition()?, AccountId::parse(self.sort.strip_prefix("TRAIL#")?)?))
    }

    fn group_of_partition(&self) -> Option<GroupId> {
        GroupId::parse(self.partition.strip_prefix("GROUP#")?)
    }

    /// Parses the key of an account.
    #[must_use]
    pub fn as_account(&self) -> Option<AccountId> {
        let id = self.partition.strip_prefix("ACCOUNT#")?;
        AccountId::parse(id).filter(|_| self.sort == "ACCOUNT")
    }

    /// Parses the key of a row by which an account is found: the text and the account.
    #[must_use]
    pub fn as_account_text(&self) -> Option<(SortKey, AccountId)> {
        let (text, id) = self.sort.split_once(SEPARATOR)?;
        let (text, id) = (SortKey::cut(text), AccountId::parse(id)?);
        let lists = [AccountList::All, AccountList::Emails, AccountList::Words, AccountList::ExternalIds];
        lists.iter().any(|list| list.partition(text.as_str()) == self.partition).then_some((text, id))
    }

    /// Parses the key of the row with the ends of an account's direct memberships.
    #[must_use]
    pub fn as_ends(&self) -> Option<AccountId> {
        AccountId::parse(self.partition.strip_prefix("ACCOUNT#")?).filter(|_| self.sort == "UNTIL")
    }

    /// Parses the key of a row by which the sweep finds a membership.
    #[must_use]
    pub fn as_due(&self) -> Option<(Timestamp, GroupId, AccountId)> {
        self.partition.strip_prefix("DUE#")?;
        let (at, rest) = self.sort.split_once('#')?;
        let (group, account) = rest.split_once('#')?;
        let due = (Timestamp::try_from(at.to_owned()).ok()?, GroupId::parse(group)?, AccountId::parse(account)?);
        Some(due).filter(|(at, group, account)| Self::due(*at, group, account) == *self)
    }

    /// Parses the key of a mirror row.
    #[must_use]
    pub fn as_mirror(&self) -> Option<(AccountId, GroupId)> {
        let account = AccountId::parse(self.partition.strip_prefix("ACCOUNT#")?)?;
        Some((account, GroupId::parse(self.sort.strip_prefix("GROUP#")?)?))
    }

    /// Parses the key of a job.
    #[must_use]
    pub fn as_job(&self) -> Option<JobKind> {
        parse_job(&self.sort).filter(|kind| Self::job(kind) == *self)
    }

    /// Parses the key of a job in a table of the first design.
    #[must_use]
    pub fn as_first_design_job(&self) -> Option<JobKind> {
        parse_job(&self.partition).filter(|kind| Self::first_design_job(kind) == *self)
    }

    /// Whether this is the key of the row of a unique name.
    #[must_use]
    pub fn is_unique_name(&self) -> bool {
        self.partition.starts_with("UNIQUE#")
    }

    /// Whether this version knows rows with such keys. A later version may have others.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match (first_word(&self.partition), first_word(&self.sort)) {
            (
                "GROUP",
                "GROUP" | "COUNT" | "MEMBER" | "CHILD" | "NEST" | "OWNERS" | "TRAIL" | "NAME" | "PAST" | "TIME",
            )
            | ("ACCOUNT", "ACCOUNT" | "GROUP" | "TIME" | "UNTIL")
            | ("IDEMPOTENCY", "IDEMPOTENCY")
            | ("UNIQUE", "UNIQUE")
            | ("EXTERNAL", "EXTERNAL")
            | ("JOB", "JOB")
            | ("SEARCH" | "WORD" | "EMAIL" | "PROVISIONED", _) => true,
            ("JOBS", _) => self.as_job().is_some(),
            ("DUE", _) => self.as_due().is_some(),
            _ => self.partition == ACCOUNTS || is_list_partition(&self.partition),
        }
    }

    /// Returns the type of the row for the log, by the words that its key begins with; without ids and names.
    #[must_use]
    pub fn row_type(&self) -> String {
        let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let word = |text| Some(first_word(text)).filter(is_word).unwrap_or("?").to_owned();
        format!("{} {}", word(&self.partition), word(&self.sort))
    }

    /// The key of a row in the SDK's form.
    #[must_use]
    pub fn from_row(row: &Attributes) -> Option<Self> {
        let text = |attribute: Attribute| row.get(attribute.as_str())?.as_s().ok().cloned();
        Some(Self { partition: text(Attribute::Pk)?, sort: text(Attribute::Sk)? })
    }

    /// The key with these two attributes.
    pub(in crate::store) const fn from_parts(partition: String, sort: String) -> Self {
        Self { partition, sort }
    }

    /// The key in the SDK's form.
    #[must_use]
    pub fn to_attributes(&self) -> Attributes {
        attributes([(Attribute::Pk, &self.partition), (Attribute::Sk, &self.sort)])
    }
}

/// The lists by which accounts are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountList {
    /// All accounts, by name.
    All,
    /// Those with an e-mail address, by the address.
    Emails,
    /// Those with a word in their names or addresses, by the word. A partition has the words with the same first letter.
    Words,
    /// Those with an id in the system that provisions them, by that id.
    ExternalIds,
}

/// The things whose names may have to be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Groups.
    Group,
    /// Accounts.
    Account,
}

impl AccountList {
    pub(super) fn partition(self, text: &str) -> String {
        match self {
            Self::All => ACCOUNTS.to_owned(),
            Self::Emails => format!("EMAIL#{}", spread(text, EMAIL_PARTITIONS)),
            Self::Words => format!("WORD#{}", text.chars().take(1).collect::<String>()),
            Self::ExternalIds => format!("PROVISIONED#{}", spread(text, EMAIL_PARTITIONS)),
        }
    }
}

/// The partition of the list of the groups that a filter selects: `GROUPS`, then a part for each of its conditions.
pub(super) fn list_partition(filter: GroupFilter) -> String {
    filter.names().into_iter().flatten().fold(GROUPS.to_owned(), |partition, part| format!("{partition}#{part}"))
}

fn is_list_partition(partition: &str) -> bool {
    let mut parts = partition.split('#');
    let is_list = parts.next() == Some(GROUPS);
    let mut parts = parts.peekable();
    parts.next_if(|part| GroupType::parse(part).is_ok());
    parts.next_if(|part| ["privileged", "ordinary"].contains(part));
    is_list && parts.next().is_none()
}

/// The time first, so that a history is in the order of its changes; then the changes of a subject in their order.
fn history_text(at: Timestamp, subject: &str, revision: u64) -> String {
    format!("TIME#{at}#{subject}#{revision:012}")
}

fn text_and_id(text: &SortKey, group: &GroupId) -> String {
    format!("{}{SEPARATOR}{group}", text.as_str())
}

fn search_partition(text: &str, gram: usize) -> String {
    format!("SEARCH#{}", text.chars().take(gram).collect::<String>())
}

/// The partition of a term: its first three characters, or all of a shorter one.
pub(super) fn term_partition(term: &str) -> String {
    search_partition(term, Suffix::LONGEST_GRAM)
}

/// One of the partitions of due memberships.
pub(super) fn due_partition(number: usize) -> String {
    format!("DUE#{number}")
}

/// The text before the first `#`.
fn first_word(text: &str) -> &str {
    text.split_once('#').map_or(text, |(word, _)| word)
}

fn attributes<const N: usize>(pairs: [(Attribute, &String); N]) -> Attributes {
    let pair = |(name, value): (Attribute, &String)| (name.as_str().to_owned(), AttributeValue::S(value.clone()));
    pairs.into_iter().map(pair).collect()
}
