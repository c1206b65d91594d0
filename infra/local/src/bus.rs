//! The bus and the queues of this machine, in one small database: events that wait to be applied, those that cannot be,
//! and those that were published. Kept in a file when the table is, so that a crash loses as little of them as SQS does.

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

/// The bus and its queues.
#[derive(Clone)]
pub struct Bus {
    database: Arc<Mutex<Connection>>,
    /// Counts what was sent to the queue, and what was published.
    sent: watch::Sender<u64>,
    published: watch::Sender<u64>,
}

/// A message of the queue, handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names it.
    pub id: String,
    /// What it says.
    pub body: String,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at: i64,
    /// How often it was handed out, this time included.
    pub receives: u32,
}

/// A message that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// As it came.
    pub body: String,
    /// Why; `None` for one that was handed out too often.
    pub reason: Option<String>,
    /// When it was given up, in milliseconds since 1970.
    pub at: i64,
}

impl Bus {
    /// Kept in the file or, without one, in memory.
    ///
    /// # Errors
    /// The file is none of this bus.
    pub fn open(file: Option<&Path>) -> Result<Self, Problem> {
        let database = file.map_or_else(Connection::open_in_memory, Connection::open);
        let database = database.and_then(|database| database.execute_batch(TABLES).map(|()| database));
        let database = database.map_err(|error| Problem::new("cannot open the bus", error))?;
        let (sent, published) = (watch::channel(0).0, watch::channel(0).0);
        Ok(Self { database: Arc::new(Mutex::new(database)), sent, published })
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts events on the queue, all of them or none. What an envelope lacks is filled in, as `EventBridge` does.
    ///
    /// # Errors
    /// The file is full, or gone.
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

    /// Hands out messages that are there to be had, and nobody else has them until they are deleted or returned. Those
    /// that were handed out too often become dead letters instead.
    ///
    /// # Errors
    /// The file is gone.
    pub fn receive(&self, at_most: usize, max_receives: u64) -> Result<Vec<Message>, Problem> {
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
            Ok(Message { id: row.get(0)?, body: row.get(1)?, sent_at: row.get(2)?, receives: row.get(3)? })
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Messages that are done with.
    ///
    /// # Errors
    /// The file is gone.
    pub fn delete(&self, ids: &[String]) -> Result<(), Problem> {
        let database = self.database();
        ids.iter()
            .try_for_each(|id| database.execute("DELETE FROM incoming WHERE id = ?1", [id]).map(drop).map_err(failed))
    }

    /// Messages that are to come again, after a while.
    ///
    /// # Errors
    /// The file is gone.
    pub fn give_back(&self, ids: &[String], after: Duration) -> Result<(), Problem> {
        let visible_at = now() + i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 2);
        let database = self.database();
        ids.iter().try_for_each(|id| {
            let update = "UPDATE incoming SET in_flight = 0, visible_at = ?2 WHERE id = ?1";
            database.execute(update, params![id, visible_at]).map(drop).map_err(failed)
        })
    }

    /// Whether there are messages that nobody has worked on, or that somebody works on now.
    ///
    /// # Errors
    /// The file is gone.
    pub fn has_new(&self) -> Result<bool, Problem> {
        let count = "SELECT count(*) FROM incoming WHERE receives = 0 OR in_flight = 1";
        self.database().query_row(count, [], |row| row.get::<_, u64>(0)).map(|count| count > 0).map_err(failed)
    }

    /// Counts what was sent to the queue.
    #[must_use]
    pub fn sendings(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    /// Notes a message that cannot be taken.
    ///
    /// # Errors
    /// The file is full, or gone.
    pub fn bury(&self, body: &str, reason: Option<&str>) -> Result<(), Problem> {
        let insert = "INSERT INTO dead_letters (body, reason, at) VALUES (?1, ?2, ?3)";
        self.database().execute(insert, params![body, reason, now()]).map(drop).map_err(failed)
    }

    /// Messages that cannot be taken, the oldest first.
    ///
    /// # Errors
    /// The file is gone.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, Problem> {
        let database = self.database();
        let select = "SELECT body, reason, at FROM dead_letters ORDER BY number";
        let mut statement = database.prepare_cached(select).map_err(failed)?;
        let letters =
            statement.query_map([], |row| Ok(DeadLetter { body: row.get(0)?, reason: row.get(1)?, at: row.get(2)? }));
        letters.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Puts all dead letters back on the queue, as new ones. Gives how many.
    ///
    /// # Errors
    /// The file is full, or gone.
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

    /// Notes an event that was published.
    fn publish(&self, event: &Value) -> Result<(), Problem> {
        let insert = "INSERT INTO published (event) VALUES (?1)";
        self.database().execute(insert, [event.to_string()]).map_err(failed)?;
        self.published.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Events that were published after the one with this number, each with its own.
    ///
    /// # Errors
    /// The file is gone.
    pub fn published_after(&self, number: u64, at_most: usize) -> Result<Vec<(u64, String)>, Problem> {
        let database = self.database();
        let select = "SELECT number, event FROM published WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = database.prepare_cached(select).map_err(failed)?;
        let events = statement.query_map(params![number, at_most], |row| Ok((row.get(0)?, row.get(1)?)));
        events.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    /// Counts what was published.
    #[must_use]
    pub fn publications(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }
}

/// What an event's envelope lacks, as `EventBridge` would fill it in.
fn enveloped(event: Value) -> Value {
    let Value::Object(given) = event else { return event };
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
    envelope.extend(given);
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
