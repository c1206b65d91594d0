//! The protocols by themselves, in every order in which they can happen: by a model checker, stateright.

mod items;
mod nesting;
mod propagation;
