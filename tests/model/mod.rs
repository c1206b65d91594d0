//! Models of the four protocols. A model checker, stateright, explores every order of their steps.

mod expiry;
mod guard;
mod items;
mod nesting;
mod propagation;
