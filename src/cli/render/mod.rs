//! What the program renders from the tables: help texts and completions. Nothing is printed here.

pub mod complete;
pub mod help;
