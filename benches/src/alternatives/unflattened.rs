//! Nested groups whose members are stored with them alone.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, TransactWriteItem, Update};
use futures::future::{join, join_all};
use serde_json::Value;
use shared::domain::{AccountId, GroupId};
use shared::store::Store;
use shared::store::keys::{Attribute, Attributes, Bounds, Key, Range};

use crate::harness::{administer, now};

/// How often the closure comes to a group from another.
const WAYS: &str = "ways";

/// A table with direct members only.
pub struct Alternative {
    pub client: Client,
    pub store: Store,
    pub table: &'static str,
    /// Whether a group's nested groups there are all those below it.
    pub is_closure: bool,
}

impl Alternative {
    /// All members; or those in the first so many rows of each group, among which is the page, for as long as groups with many
    /// others in them have no members of their own. One Query for each group, side by side once the groups are known.
    pub async fn members(&self, top: &GroupId, limit: Option<i32>) -> BTreeSet<String> {
        let (mut found, mut seen, mut level) = (BTreeSet::new(), BTreeSet::from([*top]), vec![*top]);
        let mut range: fn(&GroupId) -> Bounds = all_of;
        while !level.is_empty() {
            let queries = level.iter().map(|group| query(&self.client, self.table, range(group), limit));
            let rows = join_all(queries).await.concat();
            let keys: Vec<Key> = rows.iter().filter_map(Key::of_row).collect();
            found.extend(keys.iter().filter_map(Key::as_member).map(|(_, account)| account.to_string()));
            level = keys.iter().filter_map(Key::as_child).map(|(_, child)| child).collect();
            level.retain(|child| seen.insert(*child));
            if self.is_closure {
                range = |group| Range::Members(*group).bounds();
            }
        }
        found
    }

    /// Whether the account is a member: from the groups that it is a direct member of, up to those in the top group.
    pub async fn has(&self, top: &GroupId, account: &AccountId) -> bool {
        let of = |range: Range| query(&self.client, self.table, range.bounds(), None);
        let (below, own) = join(of(Range::ChildrenAndGroup(*top)), of(Range::Memberships(account.clone()))).await;
        let below = below.iter().filter_map(|row| Key::of_row(row)?.as_child());
        let inside: BTreeSet<GroupId> = below.map(|(_, child)| child).chain([*top]).collect();
        let mut level: BTreeSet<GroupId> =
            own.iter().filter_map(|row| Key::of_row(row)?.as_membership()).map(|(_, group)| group).collect();
        while !self.is_closure && !level.is_empty() && level.is_disjoint(&inside) {
            let rows = batch_get(&self.client, self.table, level.iter().map(Key::nesting)).await;
            let parents = rows.iter().filter_map(|row| row[Attribute::Parents.as_str()].as_m().ok());
            level = parents.flat_map(|parents| parents.keys()).filter_map(|id| GroupId::parse(id)).collect();
        }
        !level.is_disjoint(&inside)
    }

    /// Nests one group in another, with the job's row that ours puts; the closure then counts the ways from each group above
    /// to each below. Those above are known from the walk that looks for cycles.
    pub async fn nest(&self, nestings: &[(GroupId, GroupId)], parent: &GroupId, child: &GroupId) -> Value {
        self.store.nest_group(&administer(), parent, child, now()).await.unwrap();
        if self.is_closure {
            query(&self.client, self.table, Range::ChildrenAndGroup(*child).bounds(), None).await;
            let upwards: Vec<(GroupId, GroupId)> = nestings.iter().map(|(parent, child)| (*child, *parent)).collect();
            let (above, below) = (ways(&upwards, *parent), ways(nestings, *child));
            let rows =
                above.iter().flat_map(|(a, many)| below.iter().map(move |(b, more)| (Key::child(a, b), many * more)));
            let actions: Vec<TransactWriteItem> = rows.map(|(key, ways)| self.add_ways(&key, ways)).collect();
            // So many does a transaction take.
            let transactions = actions
                .chunks(100)
                .map(|some| self.client.transact_write_items().set_transact_items(Some(some.to_vec())).send());
            join_all(transactions).await.into_iter().for_each(|sent| drop(sent.unwrap()));
        }
        Value::Null
    }

    fn add_ways(&self, key: &Key, ways: usize) -> TransactWriteItem {
        let update = Update::builder().table_name(self.table).set_key(Some(key.to_attributes()));
        let update = update.update_expression("ADD #ways :ways").expression_attribute_names("#ways", WAYS);
        let update = update.expression_attribute_values(":ways", AttributeValue::N(ways.to_string()));
        TransactWriteItem::builder().update(update.build().unwrap()).build()
    }
}

/// A group with all that is nested directly in it and all its members.
pub fn all_of(group: &GroupId) -> Bounds {
    let (first, _) = Range::ChildrenAndGroup(*group).bounds().sort.unwrap();
    let members = Range::Members(*group).bounds();
    Bounds { sort: members.sort.map(|(_, last)| (first, last)), ..members }
}

/// The rows with a closure's among them.
pub fn with_ways(
    mut rows: BTreeMap<Key, Attributes>,
    groups: &[GroupId],
    nestings: &[(GroupId, GroupId)],
) -> BTreeMap<Key, Attributes> {
    for group in groups {
        for (below, ways) in ways(nestings, *group).into_iter().filter(|(below, _)| below != group) {
            let key = Key::child(group, &below);
            let row = rows.entry(key.clone()).or_insert_with(|| key.to_attributes());
            row.insert(WAYS.to_owned(), AttributeValue::N(ways.to_string()));
        }
    }
    rows
}

/// The groups that one comes to from this one, itself among them, and in how many ways.
fn ways(nestings: &[(GroupId, GroupId)], from: GroupId) -> BTreeMap<GroupId, usize> {
    let mut found = BTreeMap::from([(from, 1)]);
    for (_, next) in nestings.iter().filter(|(group, _)| *group == from) {
        for (group, many) in ways(nestings, *next) {
            *found.entry(group).or_default() += many;
        }
    }
    found
}

/// One Query for so many rows, or for all of them one for each megabyte.
pub async fn query(client: &Client, table: &str, bounds: Bounds, limit: Option<i32>) -> Vec<Attributes> {
    let (first, last) = bounds.sort.unwrap();
    let mut request = client.query().table_name(table).consistent_read(true).set_limit(limit);
    request = request.key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last");
    for (name, attribute) in [("#pk", Attribute::Pk), ("#sk", Attribute::Sk)] {
        request = request.expression_attribute_names(name, attribute.as_str());
    }
    for (name, value) in [(":pk", bounds.partition), (":first", first), (":last", last)] {
        request = request.expression_attribute_values(name, AttributeValue::S(value));
    }
    match limit {
        Some(_) => request.send().await.unwrap().items.unwrap_or_default(),
        None => request.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap(),
    }
}

/// The rows of up to a hundred keys that there are.
pub async fn batch_get(client: &Client, table: &str, keys: impl Iterator<Item = Key>) -> Vec<Attributes> {
    let keys = keys.map(|key| key.to_attributes()).collect();
    let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys)).build().unwrap();
    let output = client.batch_get_item().request_items(table, wanted).send().await.unwrap();
    output.responses.into_iter().flatten().flat_map(|(_, rows)| rows).collect()
}
