//! Permission requests of agents: the policy that decides, and the question that people read.

pub(crate) mod evaluator;
pub mod pattern;
pub mod policy;
pub mod prompt;
pub mod shell_parser;
