//! What follows from a commit, on a real table: by the stream, whatever happens to it.

mod histories;
mod jobs;
mod verify;
mod world;
