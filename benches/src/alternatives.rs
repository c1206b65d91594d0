//! What calls would cost were memberships not stored flattened, beside what they cost. *Expansion* stores direct members and
//! goes down or up the nestings whenever it is asked; a *closure* also has, in each group, a row for every group below it at
//! any depth, with the number of ways there. Both are given their best case: requests side by side wherever none needs
//! another's answer, pages merged from the first rows of each group. All three must say the same.

mod unflattened;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range as Numbers;

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};
use shared::app::REQUEST_TIME_BUDGET;
use shared::domain::{AccountId, Change, GroupId};
use shared::store::keys::{Attribute, Attributes, Key};
use shared::store::{Store, client_for};
use unflattened::{Alternative, all_of, batch_get, query, with_ways};

use crate::harness::meter::Meter;
use crate::harness::recorder::sequential;
use crate::harness::{Answer, Api, account, administer, ingest, now, numbered, table_without_stream};
use crate::seed;

/// In this order, on one table after the other.
const CALLS: [&str; 8] = [
    "page of 50 members",
    "all members",
    "is an account a member",
    "exact count",
    "add a member",
    "nest a group of 10 with 100 members",
    "remove a member",
    "all members then",
];
/// Who is added and removed.
const NEW: &str = "acc-new";
/// Rows that a Query for a page reads: the members, one more, and the group's own.
const PAGE: i32 = 52;

/// Groups in groups, by numbers.
struct Shape {
    name: &'static str,
    /// Which has which nested in it. The first group is the one that is read.
    nestings: Vec<(usize, usize)>,
    /// Which has which accounts as direct members. The last group is the one that changes.
    members: Vec<(usize, Numbers<usize>)>,
}

fn shapes() -> Vec<Shape> {
    let chain = |name, levels: usize| {
        let nestings = (1..levels).map(|level| (level - 1, level)).collect();
        Shape { name, nestings, members: vec![(levels - 1, 0..1_000)] }
    };
    let members = vec![(3, 0..1_000)];
    let diamond = Shape { name: "diamond", nestings: vec![(0, 1), (0, 2), (1, 3), (2, 3)], members };
    // All but the first and last fifty accounts are members of two of them.
    let members = (1..=50).map(|group| (group, group * 50..group * 50 + 100)).collect();
    let wide = Shape { name: "50 of 100", nestings: (1..=50).map(|group| (0, group)).collect(), members };
    vec![chain("1 level", 1), chain("3 levels", 3), chain("10 levels", 10), chain("20 levels", 20), diamond, wide]
}

/// The table of what calls cost. On one thread, all that is asked side by side is on its way before any answer is seen,
/// however busy the machine is: rounds are the same each time.
pub fn measure() -> String {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(compare())
}

async fn compare() -> String {
    let mut told =
        String::from("shape | call | flattened: requests, rounds, read units, write units | expansion | closure\n");
    for shape in shapes() {
        let world = World::of(&shape).await;
        let rows = world.rows().await;
        let expansion = world.alternative("expansion", false, rows.clone()).await;
        let closure = world.alternative("closure", true, with_ways(rows, &world.groups, &world.nestings)).await;
        let columns = [world.ours().await, world.of_other(&expansion).await, world.of_other(&closure).await];
        for (number, call) in CALLS.iter().enumerate() {
            let [ours, expansion, closure] = columns.each_ref().map(|column| &column[number]);
            assert!(ours.1 == expansion.1 && ours.1 == closure.1, "{}: {call}", shape.name);
            writeln!(told, "{} | {call} | {} | {} | {}", shape.name, ours.0, expansion.0, closure.0).unwrap();
        }
    }
    told
}

/// A shape in our table, and beside it a group with others in it that is nested nowhere yet.
struct World {
    api: Api,
    meter: Meter,
    groups: Vec<GroupId>,
    nestings: Vec<(GroupId, GroupId)>,
    /// The group that is read, the one that changes, and the one that is nested in that.
    top: GroupId,
    bottom: GroupId,
    loose: GroupId,
    /// A member of the one that changes.
    member: AccountId,
}

impl World {
    async fn of(shape: &Shape) -> Self {
        let meter = Meter::default();
        let api = Api::start_metered(&meter).await;
        let loose = 1 + shape.nestings.iter().map(|(_, child)| *child).max().unwrap_or_default();
        let nestings = shape.nestings.iter().copied().chain((1..10).map(|number| (loose, loose + number)));
        let of_loose = (0..10).map(|number| (loose + number, 5_000 + number * 10..5_010 + number * 10));
        let mut ids = Vec::new();
        for number in 0..loose + 10 {
            ids.push(api.group(&format!("Group {number:02}")).await);
        }
        let groups: Vec<GroupId> = ids.iter().map(|id| GroupId::parse(id).unwrap()).collect();
        let mut nested = Vec::new();
        for (parent, child) in nestings {
            api.nest(&ids[parent], &ids[child]).await;
            nested.push((groups[parent], groups[child]));
        }
        for (group, numbers) in shape.members.iter().cloned().chain(of_loose) {
            api.members(&ids[group], numbers).await;
        }
        api.accounts(&[NEW]).await;
        let (bottom, numbers) = shape.members.last().unwrap();
        let member = account(&numbered(numbers.start)).id;
        let (top, bottom, loose) = (groups[0], groups[*bottom], groups[loose]);
        Self { api, meter, groups, nestings: nested, top, bottom, loose, member }
    }

    /// Our rows of groups, nestings and direct members, mirrors included.
    async fn rows(&self) -> BTreeMap<Key, Attributes> {
        let (client, table) = (client_for(&self.api.endpoint, |builder| builder), &self.api.table);
        let mut rows = batch_get(&client, table, self.groups.iter().map(Key::nesting)).await;
        for group in &self.groups {
            rows.extend(query(&client, table, all_of(group), None).await);
        }
        let direct = Attribute::Direct.as_str();
        rows.retain(|row| row.get(direct) != Some(&AttributeValue::Bool(false)));
        let mirror = |row: &Attributes| {
            let (group, account) = Key::of_row(row)?.as_member()?;
            let mut mirror = Key::membership(&account, &group).to_attributes();
            mirror.insert(direct.to_owned(), row[direct].clone());
            Some(mirror)
        };
        let mirrors: Vec<Attributes> = rows.iter().filter_map(mirror).collect();
        rows.into_iter().chain(mirrors).map(|row| (Key::of_row(&row).unwrap(), row)).collect()
    }

    /// A table of these rows, metered as ours.
    async fn alternative(&self, table: &'static str, is_closure: bool, rows: BTreeMap<Key, Attributes>) -> Alternative {
        let plain = client_for(&self.api.endpoint, |builder| builder);
        assert!(groups_local::table::create(&plain, table, &table_without_stream()).await.unwrap());
        seed::write_all(&plain, table, &rows.into_values().collect::<Vec<_>>()).await;
        let new = account(NEW);
        Store::new(plain, table, REQUEST_TIME_BUDGET).put_account(&ingest(), &new).await.unwrap();
        let through = self.meter.stand_before(&self.api.endpoint).await;
        let client = client_for(&through, |builder| builder.interceptor(self.api.recorder.clone()));
        Alternative { store: Store::new(client.clone(), table, REQUEST_TIME_BUDGET), client, table, is_closure }
    }

    /// What it costs, and what came of it.
    async fn cost(&self, call: impl Future<Output = Value>) -> (String, Value) {
        self.api.recorder.take();
        self.meter.take();
        let found = call.await;
        let (requests, units) = (self.api.recorder.take(), self.meter.take());
        let (count, rounds) = (requests.len(), sequential(&requests));
        (format!("{count}, {rounds}, {}, {}", units.read, units.write), found)
    }

    /// The calls as the API does them.
    async fn ours(&self) -> Vec<(String, Value)> {
        let Self { top, bottom, loose, member, .. } = self;
        let mut done = Vec::new();
        for (method, path, tells) in [
            (Method::GET, format!("/{top}/members?limit=50"), "members"),
            (Method::GET, format!("/{top}/members"), "members"),
            (Method::GET, format!("/{top}/members/{member}"), "id"),
            (Method::GET, format!("/{top}"), "member_count"),
            (Method::PUT, format!("/{bottom}/members/{NEW}"), ""),
            (Method::PUT, format!("/{bottom}/groups/{loose}"), ""),
            (Method::DELETE, format!("/{bottom}/members/{NEW}"), ""),
            (Method::GET, format!("/{top}/members"), "members"),
        ] {
            let call = async {
                let answer = Answer::to(self.api.request(method, &path)).await;
                assert!(answer.status.is_success(), "{path}: {}", answer.text);
                match &answer.body[tells] {
                    Value::Array(members) => members.iter().map(|member| member["id"].clone()).collect(),
                    told => told.clone(),
                }
            };
            done.push(self.cost(call).await);
        }
        done
    }

    /// The same calls as an alternative would do them.
    async fn of_other(&self, other: &Alternative) -> Vec<(String, Value)> {
        let Self { top, bottom, loose, member, .. } = self;
        let granted = administer();
        let change = async |change: fn(AccountId) -> Change| {
            other.store.change_member(&granted, bottom, change(account(NEW).id), now()).await.unwrap();
            Value::Null
        };
        let all = async || Value::from_iter(other.members(top, None).await);
        vec![
            self.cost(async { other.members(top, Some(PAGE)).await.into_iter().take(50).collect() }).await,
            self.cost(all()).await,
            self.cost(async { other.has(top, member).await.then_some(member.as_str()).into() }).await,
            self.cost(async { json!(other.members(top, None).await.len()) }).await,
            self.cost(change(Change::Add)).await,
            self.cost(other.nest(&self.nestings, bottom, loose)).await,
            self.cost(change(Change::Remove)).await,
            self.cost(all()).await,
        ]
    }
}
