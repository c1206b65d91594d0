//! The single table. Each public method for callers takes a [`Granted`](crate::authz::Granted), and each says how many
//! requests it makes. Methods without one are for the stream, the queue and tools, which no caller reaches.
//!
//! Only this module imports the SDK of DynamoDB. Layers, from the bottom: `keys` and `hints`, `table`, `rows` and `pagination`, `jobs`,
//! `accounts`, `group_snapshot` and `pending`, `groups` and `members`, `history`, `maintenance` and `stream`. A layer uses those before it.

mod accounts;
mod group_snapshot;
mod groups;
mod hints;
mod history;
mod jobs;
pub mod keys;
mod maintenance;
mod members;
mod pagination;
mod pending;
mod rows;
mod stream;
mod table;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use tokio::time::Instant;

pub use self::accounts::AccountFilter;
pub use self::groups::{IdempotencyKey, NestedGroup};
use self::hints::AncestorHints;
pub use self::history::PointInTime;
pub(crate) use self::keys::COUNT_SHARDS;
pub use self::maintenance::{RowsDigest, ScannedAccount, ScannedGroup, ScannedMember, ScannedRow};
pub use self::members::{DueMembership, MemberFilter};
pub(crate) use self::members::{EdgeState, Inheritance, Reach};
pub(crate) use self::pending::Pending;
pub use self::pending::{ChangedMembers, DeletedGroup, Unsettled};
pub use self::rows::{CountShard, GroupCounts, NameReservation, PendingName, ShardCounts};
pub(crate) use self::stream::{MemberRowChange, RowChange, RowId};
pub use self::stream::{Record, read_records};
use self::table::{Metering, Table};
use crate::aws::retry::TimeLimit;
use crate::aws::{Connection, OmitSdkHeaders, into_ping};
use crate::config::Service;

#[cfg(test)]
pub(crate) use self::pagination::ResponseSize;

/// Groups, members and accounts in a table of DynamoDB.
#[derive(Debug, Clone)]
pub struct Store {
    table: Table,
    ancestor_hints: AncestorHints,
}

impl Store {
    /// The store in the table of that name, over a connection to AWS. `time_budget` is for each request with its retries.
    #[must_use]
    pub fn connected(connection: &Connection, table: &str, time_budget: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::DynamoDb));
        let settings = settings.interceptor(OmitSdkHeaders).interceptor(Metering);
        Self::new(Client::from_conf(settings.build()), table, time_budget)
    }

    /// The store in the table of that name. `time_budget` is for each request with its retries.
    #[must_use]
    pub fn new(client: Client, table: &str, time_budget: Duration) -> Self {
        let table = Table { client, name: table.into(), time: TimeLimit::PerRequest(time_budget) };
        Self { table, ancestor_hints: AncestorHints::default() }
    }

    /// Opens the connection that later requests use. Ignores the response.
    pub async fn connect(&self) {
        let request = self.table.client.get_item().table_name(&*self.table.name);
        let _ = request.customize().mutate_request(into_ping).send().await;
    }

    /// The same store with this deadline, unless it has an earlier one.
    #[must_use]
    pub fn no_later_than(&self, deadline: Instant) -> Self {
        match self.table.time {
            TimeLimit::Until(earlier) if earlier < deadline => self.clone(),
            _ => self.until(deadline),
        }
    }

    /// The same store with this deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        let table = Table { time: TimeLimit::Until(deadline), ..self.table.clone() };
        Self { table, ancestor_hints: self.ancestor_hints.clone() }
    }
}

/// A client of the emulator at this URL, with the settings that `configure` adds.
#[must_use]
pub fn client_for(endpoint: &str, configure: impl FnOnce(Builder) -> Builder) -> Client {
    let settings = Builder::from(&Connection::to(endpoint).settings(Service::DynamoDb)).interceptor(Metering);
    Client::from_conf(configure(settings).build())
}
