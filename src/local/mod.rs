//! The local WTT service on loopback, the terminal chat and the demonstration agent behind `wtt-connect try`.
//!
//! [`service`] is the peer of the connector. It shares no encoding with `wire`, so that a mistake there is not repeated
//! here. [`demo_agent`] is an agent CLI of our own; [`chat`] connects both through the real connector.

pub mod chat;
pub mod demo_agent;
pub mod service;
