//! The local event bus and its queues, in one SQLite database: incoming events, dead letters and published events. The
//! database is a file when the table is one, so that events survive a crash as they do in SQS.

mod endpoint;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::watch;
use uuid::Uuid;

use crate::Problem;
use crate::data_file::make_private;

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS incoming (
        id TEXT PRIMARY KEY, body TEXT NOT NULL, sent_at INTEGER NOT NULL, visible_at INTEGER NOT NULL,
        receives INTEGER NOT NULL, in_flight INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, reason TEXT, at INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS published (number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);
    UPDATE incoming SET in_flight = 0;
";

/// The event bus and its queues.
#[derive(Clone)]
pub struct Bus {
    database: Arc<Mutex<Connection>>,
    /// Number of calls that sent events to the queue.
    sent: watch::Sender<u64>,
    /// Number of published events.
    published: watch::Sender<u64>,
}

/// A message received from the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Unique in the queue.
    pub id: String,
    /// The event's envelope in JSON.
    pub body: String,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at: i64,
    /// How often it was received, this time included.
    pub receives: u32,
}

/// A message that was set aside for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// As it was sent.
    pub body: String,
    /// The error; `None` for a message that was received too often.
    pub reason: Option<String>,
    /// When it was set aside, in milliseconds since 1970.
    pub at: i64,
}

impl Bus {
    /// Opens the bus in the file or, without one, in memory.
    ///
    /// # Errors
    /// The file cannot be opened as a database of a bus.
    pub fn open(file: Option<&Path>) -> Result<Self, Problem> {
        if let Some(file) = file {
            make_private(file).map_err(|error| Problem::new("cannot open the bus", error))?;
        }
        let database = file.map_or_else(Connection::open_in_memory, Connection::open);
        let database = database.and_then(|database| database.execute_batch(TABLES).map(|()| database));
        let database = database.map_err(|error| Problem::new("cannot open the bus", error))?;
        let (sent, published) = (watch::channel(0).0, watch::channel(0).0);
        Ok(Self { database: Arc::new(Mutex::new(database)), sent, published })
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends events to the queue, all of them or none, and completes their envelopes as `EventBridge` does.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn send(&self, events: Vec<Value>) -> Result<(), Problem> {
        let bodies: Vec<String> = events.into_iter().map(|event| enveloped(event).to_string()).collect();
        let now = now();
        let mut database = self.database();
        let transaction = database.transaction().map_err(failed)?;
        for body in bodies {
            let row = params![new_id(), body, now, now];
            transaction.execute("INSERT INTO incoming VALUES (?1, ?2, ?3, ?4, 0, 0)", row).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        drop(database);
        self.sent.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Receives visible messages, which stay invisible to others until they are deleted or returned. Messages that were
    /// received `max_receives` times become dead letters instead.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn receive(&self, at_most: usize, max_receives: u64) -> Result<Vec<ReceivedMessage>, Problem> {
        let now = now();
        let database = self.database();
        let move_out = "INSERT INTO dead_letters (body, reason, at) SELECT body, NULL, ?2 FROM incoming
                        WHERE in_flight = 0 AND receives >= ?1";
        database.execute(move_out, params![max_receives, now]).map_err(failed)?;
        database
            .execute("DELETE FROM incoming WHERE in_flight = 0 AND receives >= ?1", [max_receives])
            .map_err(failed)?;
        let take = "UPDATE incoming SET receives = receives + 1, in_flight = 1 WHERE id IN
                    (SELECT id FROM incoming WHERE in_flight = 0 AND visible_at <= ?1 ORDER BY visible_at, rowid LIMIT ?2)
                    RETURNING id, body, sent_at, receives";
        let mut statement = database.prepare_cached(take).map_err(failed)?;
        let rows = statement.query_map(params![now, at_most], |row| {
            Ok(ReceivedMessage { id: row.get(0)?, body: row.get(1)?, sent_at: row.get(2)?, receives: row.get(3)? })
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Deletes messages that were processed.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn delete(&self, ids: &[String]) -> Result<(), Problem> {
        let database = self.database();
        ids.iter()
            .try_for_each(|id| database.execute("DELETE FROM incoming WHERE id = ?1", [id]).map(drop).map_err(failed))
    }

    /// Returns messages to the queue, to be received again after a while.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn return_later(&self, ids: &[String], after: Duration) -> Result<(), Problem> {
        let visible_at = now() + i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 2);
        let database = self.database();
        ids.iter().try_for_each(|id| {
            let update = "UPDATE incoming SET in_flight = 0, visible_at = ?2 WHERE id = ?1";
            database.execute(update, params![id, visible_at]).map(drop).map_err(failed)
        })
    }

    /// Whether there are messages that were never received or are being processed now.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn has_new(&self) -> Result<bool, Problem> {
        let count = "SELECT count(*) FROM incoming WHERE receives = 0 OR in_flight = 1";
        self.database().query_row(count, [], |row| row.get::<_, u64>(0)).map(|count| count > 0).map_err(failed)
    }

    /// Subscribes to the number of calls that sent events to the queue.
    #[must_use]
    pub fn subscribe_sent(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    /// Stores a dead letter.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_dead_letter(&self, body: &str, reason: Option<&str>) -> Result<(), Problem> {
        let insert = "INSERT INTO dead_letters (body, reason, at) VALUES (?1, ?2, ?3)";
        self.database().execute(insert, params![body, reason, now()]).map(drop).map_err(failed)
    }

    /// Returns the dead letters, the oldest first.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn dead_letters(&self) -> Result<Vec<StoredDeadLetter>, Problem> {
        let database = self.database();
        let select = "SELECT body, reason, at FROM dead_letters ORDER BY number";
        let mut statement = database.prepare_cached(select).map_err(failed)?;
        let letters = statement
            .query_map([], |row| Ok(StoredDeadLetter { body: row.get(0)?, reason: row.get(1)?, at: row.get(2)? }));
        letters.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Moves all dead letters back to the queue as new messages and returns their number.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn redrive(&self) -> Result<usize, Problem> {
        let mut database = self.database();
        let transaction = database.transaction().map_err(failed)?;
        let move_back = "INSERT INTO incoming SELECT lower(hex(randomblob(16))), body, ?1, ?1, 0, 0 FROM dead_letters";
        let count = transaction.execute(move_back, [now()]).map_err(failed)?;
        transaction.execute("DELETE FROM dead_letters", []).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        drop(database);
        self.sent.send_modify(|count| *count += 1);
        Ok(count)
    }

    /// Stores a published event.
    fn publish(&self, event: &Value) -> Result<(), Problem> {
        let insert = "INSERT INTO published (event) VALUES (?1)";
        self.database().execute(insert, [event.to_string()]).map_err(failed)?;
        self.published.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Returns events published after the one with this number, each with its number.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn published_after(&self, number: u64, at_most: usize) -> Result<Vec<(u64, String)>, Problem> {
        let database = self.database();
        let select = "SELECT number, event FROM published WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = database.prepare_cached(select).map_err(failed)?;
        let events = statement.query_map(params![number, at_most], |row| Ok((row.get(0)?, row.get(1)?)));
        events.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Subscribes to the number of published events.
    #[must_use]
    pub fn subscribe_published(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }
}

/// Completes an event's envelope as `EventBridge` does: fields that the sender left out get defaults.
fn enveloped(event: Value) -> Value {
    let Value::Object(sent) = event else { return event };
    let mut envelope = Map::new();
    let time = SystemClock.now();
    for (name, value) in [
        ("version", json!("0")),
        ("id", json!(new_id())),
        ("source", json!("local")),
        ("account", json!("123456789012")),
        ("time", json!(time)),
        ("region", json!("us-east-1")),
        ("resources", json!([])),
    ] {
        envelope.insert(name.into(), value);
    }
    envelope.extend(sent);
    envelope.into()
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

fn now() -> i64 {
    i64::try_from(SystemClock.unix_millis()).unwrap_or(i64::MAX)
}

fn failed(error: rusqlite::Error) -> Problem {
    Problem::new("the bus", error)
}
