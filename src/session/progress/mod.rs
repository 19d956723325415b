//! Progress of a turn: which events are shown, and as what text.

pub(crate) mod filter;
pub mod formatter;
