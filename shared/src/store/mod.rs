//! The single table. Every method that shows something takes a proof that its caller may read, every method that
//! changes something a proof that its caller may change it. Each says what it asks of the table.
//!
//! Alone in the project this module imports the SDK of DynamoDB, and in it `keys` alone knows how rows are addressed.

mod accounts;
mod announcements;
mod cursor;
mod derived;
mod expression;
mod groups;
mod inheritance;
mod items;
mod jobs;
pub mod keys;
mod lists;
mod member_changes;
mod members;
mod metering;
mod nesting;
mod pages;
mod records;
mod repair;
mod requests;
mod row;
mod search;
mod table;
mod trail;
mod transact;
mod walk;
mod weigh;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use tokio::time::Instant;

use crate::aws::retry::TimeLimit;
use crate::aws::{Connection, OmitSdkHeaders, into_ping};
use crate::config::Service;

pub use announcements::{Announcement, Subject};
pub use derived::{EdgeStanding, Surroundings};
pub use groups::{IdempotencyKey, Saved};
pub use inheritance::{Link, Settled, Standing};
use metering::Metering;
pub use nesting::Nested;
pub use records::{Record, Trigger, read_records};
pub use search::PendingName;
use table::Table;
pub use walk::{AccountFact, Counts, Digest, Fact, GroupFact, MemberFact};

/// Groups, members and accounts in a table of DynamoDB.
#[derive(Debug, Clone)]
pub struct Store {
    table: Table,
}

impl Store {
    /// Over the table of that name, reached so; each request to it has so much time, its repetitions included.
    #[must_use]
    pub fn connected(connection: &Connection, table: &str, patience: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::DynamoDb));
        let settings = settings.interceptor(OmitSdkHeaders).interceptor(Metering);
        Self::new(Client::from_conf(settings.build()), table, patience)
    }

    /// Over the table of that name; each request to it has so much time, its repetitions included.
    #[must_use]
    pub fn new(client: Client, table: &str, patience: Duration) -> Self {
        Self { table: Table { client, name: table.into(), time: TimeLimit::PerRequest(patience) } }
    }

    /// Opens the connection that later requests use, whatever the table says.
    pub async fn connect(&self) {
        let request = self.table.client.get_item().table_name(&*self.table.name);
        let _ = request.customize().mutate_request(into_ping).send().await;
    }

    /// The same store, which gives up at the deadline or, where it has an earlier one, at that.
    #[must_use]
    pub fn no_later_than(&self, deadline: Instant) -> Self {
        match self.table.time {
            TimeLimit::Until(earlier) if earlier < deadline => self.clone(),
            _ => self.until(deadline),
        }
    }

    /// The same store, which gives up at the deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { table: Table { time: TimeLimit::Until(deadline), ..self.table.clone() } }
    }
}

/// A client of the emulator at this URL, with anything further that `configure` sets.
#[must_use]
pub fn client_for(endpoint: &str, configure: impl FnOnce(Builder) -> Builder) -> Client {
    let settings = Builder::from(&Connection::to(endpoint).settings(Service::DynamoDb)).interceptor(Metering);
    Client::from_conf(configure(settings).build())
}

/// 128 random bits as text, to tell one write from another.
fn random_text() -> String {
    format!("{:032x}", fastrand::u128(..))
}
