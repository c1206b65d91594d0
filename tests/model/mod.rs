//! Models of the three protocols. A model checker, stateright, explores every order of their steps.

mod guard;
mod items;
mod nesting;
mod propagation;
