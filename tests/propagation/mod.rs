//! Propagation of changes through the stream, on a real table and under faults.

mod histories;
mod jobs;
mod verify;
mod world;
