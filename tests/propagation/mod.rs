//! Propagation of changes through the stream, on a real table and under faults.

mod client;
mod histories;
mod jobs;
mod verify;
mod world;
