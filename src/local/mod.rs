//! The local WTT service on loopback, the terminal chat and the demonstration agent behind `wtt-connect try`.
//!
//! [`service`] is the peer of the connector: it shares no encoding with `wire`, so that a mistake there is not
//! mirrored here. [`demo_agent`] is an agent CLI of our own, [`chat`] ties both to the real connector.

pub mod chat;
pub mod demo_agent;
pub mod service;
