//! Models of the two protocols. A model checker, stateright, explores every order of their steps.

mod items;
mod nesting;
mod propagation;
