//! The floor: the only layer that touches threads, signals, poll, processes, randomness and the clock.
//!
//! Nothing here knows of WTT, agents or configuration.

pub mod beneath;
pub mod chaos;
pub mod family;
pub mod id;
pub mod image;
pub mod lines;
pub mod log;
pub mod log_file;
pub mod notify;
pub mod passing;
pub mod path;
pub mod poll;
pub mod proc;
pub mod pump;
pub mod signal;
pub mod tcp;
pub mod thread;
pub mod time;
pub mod tls;
pub mod zip;
