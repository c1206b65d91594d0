//! Models of the five protocols. A model checker, stateright, explores every order of their steps.

mod expiry;
mod guard;
mod items;
mod names;
mod nesting;
mod propagation;
