//! The local WTT service on loopback, the terminal chat and the demonstration agent behind `wtt-connect try`.
//!
//! [`service`] is the peer of the connector: it shares no encoding with `wire`, so that a mistake there is not
//! mirrored here. [`demo`] is an agent CLI of our own, [`try_chat`] ties both to the real connector.

pub mod demo;
pub mod service;
pub mod try_chat;
