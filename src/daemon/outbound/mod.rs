//! Everything on its way out: outbox entries, status frames, uploads, and the calls by HTTP.

pub(crate) mod delivery;
pub(crate) mod http_call;
pub(crate) mod http_worker;
pub(crate) mod progress_throttle;
pub(crate) mod publish;
pub(crate) mod requests;
pub(crate) mod upload_waiters;
pub(crate) mod uploads;
