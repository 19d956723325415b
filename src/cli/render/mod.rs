//! What is rendered from the tables: help texts, manual pages and completions. Nothing is printed here.

pub mod complete;
pub mod help;
pub mod man;
pub mod man5;
pub mod roff;
