//! Creates large groups by writing their rows directly, which would take a hundred thousand calls of the API.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures::stream::{self, StreamExt};
use shared::domain::{AccountTexts, GroupId, ProvisionedAccount};
use shared::store::client_for;
use shared::store::keys::{AccountList, Attribute, Attributes, COUNT_SHARDS, Key, spread};

use crate::harness::{Api, account, numbered};

/// Most rows in one `BatchWriteItem`.
const BATCH: usize = 25;

/// Creates `levels` groups, each nested in the one before it, the last with this number of members. Returns their ids.
pub async fn chain(api: &Api, levels: usize, members: usize) -> Vec<String> {
    let names: Vec<String> = (0..levels).map(|level| format!("Level {level:02}")).collect();
    let ids = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Adds one member by the API. Its rows are the pattern for all others.
    api.members(&ids[levels - 1], 0..1).await;
    let client = client_for(&api.endpoint, |builder| builder);
    let groups: Vec<GroupId> = ids.iter().map(|id| GroupId::parse(id).unwrap()).collect();
    let pattern = Pattern::read(&client, &api.table, &groups).await;
    let rows = (1..members).flat_map(|number| pattern.rows(number)).collect::<Vec<_>>();
    write_all(&client, &api.table, &rows).await;
    for (level, group) in groups.iter().enumerate() {
        count(&client, &api.table, group, members, level + 1 == levels).await;
    }
    ids
}

/// Puts rows with distinct keys.
pub async fn write_all(client: &Client, table: &str, rows: &[Attributes]) {
    let batches = rows.chunks(BATCH).map(|batch| write(client, table, batch.to_vec()));
    stream::iter(batches).buffer_unordered(4).collect::<Vec<()>>().await;
}

/// Rows of one account: its own with those by which it is found, and in each group the member, the mirror and the audit record.
struct Pattern {
    groups: Vec<GroupId>,
    account: Attributes,
    members: Vec<[Attributes; 3]>,
}

impl Pattern {
    async fn read(client: &Client, table: &str, groups: &[GroupId]) -> Self {
        let id = account(&numbered(0)).id;
        let mut members = Vec::new();
        for group in groups {
            let keys = [Key::member(group, &id), Key::mirror(&id, group), Key::audit_record(group, &id)];
            let rows = keys.each_ref().map(|key| get(client, table, key));
            members.push(futures::future::join_all(rows).await.try_into().unwrap());
        }
        Self { groups: groups.to_vec(), account: get(client, table, &Key::account(&id)).await, members }
    }

    fn rows(&self, number: usize) -> Vec<Attributes> {
        let account = account(&numbered(number));
        let fields = [(Attribute::Name, &account.name), (Attribute::Email, &account.email)];
        let with = |row: &Attributes, key: &Key, is_copy: bool| {
            let mut row: HashMap<_, _> = row.clone();
            let copied = fields.iter().filter(|_| is_copy);
            let copied = copied.map(|(name, value)| (name.as_str().to_owned(), AttributeValue::S((*value).clone())));
            row.extend(copied);
            row.extend(key.to_attributes());
            row
        };
        let mut rows = vec![with(&self.account, &Key::account(&account.id), true)];
        let provisioned = ProvisionedAccount { account: account.clone(), external_id: None, created_at: None };
        let AccountTexts { name, email, words, external_id: _ } = AccountTexts::of(&provisioned);
        let texts = [(AccountList::All, name)].into_iter().chain(email.map(|email| (AccountList::Emails, email)));
        let texts = texts.chain(words.into_iter().map(|word| (AccountList::Words, word)));
        rows.extend(texts.map(|(list, text)| Key::account_text(list, &text, &account.id).to_attributes()));
        for (group, [member, mirror, trail]) in self.groups.iter().zip(&self.members) {
            rows.push(with(member, &Key::member(group, &account.id), true));
            rows.push(with(mirror, &Key::mirror(&account.id, group), false));
            rows.push(with(trail, &Key::audit_record(group, &account.id), false));
        }
        rows
    }
}

async fn get(client: &Client, table: &str, key: &Key) -> Attributes {
    let request = client.get_item().table_name(table).set_key(Some(key.to_attributes())).consistent_read(true);
    request.send().await.unwrap().item.unwrap()
}

async fn write(client: &Client, table: &str, rows: Vec<Attributes>) {
    let put =
        |row| WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(row)).build().unwrap()).build();
    let requests: Vec<WriteRequest> = rows.into_iter().map(put).collect();
    client.batch_write_item().request_items(table, requests).send().await.unwrap();
}

/// Writes the count shards of a group with these members, and the copies of their sums in its row.
async fn count(client: &Client, table: &str, group: &GroupId, members: usize, direct: bool) {
    let number = |value: usize| AttributeValue::N(value.to_string());
    let mut shards = [0; COUNT_SHARDS];
    (0..members).for_each(|account| shards[spread(&numbered(account), COUNT_SHARDS)] += 1);
    let shard_row = |(shard, members): (usize, &usize)| {
        let mut row = Key::count(group, shard).to_attributes();
        row.insert(Attribute::Members.as_str().into(), number(*members));
        row.insert(Attribute::DirectMembers.as_str().into(), number(if direct { *members } else { 0 }));
        row.insert(Attribute::Revision.as_str().into(), number(*members));
        row
    };
    let with_members = shards.iter().enumerate().filter(|(_, members)| **members > 0);
    let mut rows: Vec<Attributes> = with_members.map(shard_row).collect();
    let mut row = get(client, table, &Key::group(group)).await;
    row.insert(Attribute::MemberCount.as_str().into(), number(members));
    row.insert(Attribute::DirectMemberCount.as_str().into(), number(if direct { members } else { 0 }));
    row.insert(Attribute::CountedRevision.as_str().into(), number(members));
    rows.push(row);
    write(client, table, rows).await;
}
