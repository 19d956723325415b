//! Catch-up after a reconnect: the requests that read what was missed, and the pure state behind them.

mod requests;
pub(crate) mod state;
