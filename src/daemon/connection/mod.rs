//! The connection to the service: the network thread, which alone touches the socket, and what the hub knows of it.
//!
//! One thread for the life of the daemon: dial, authenticate, run the WebSocket loop, ping, back off. It blocks in poll(2), or in the name
//! lookup of a dial: that one call cannot be interrupted, so the end of the daemon waits two seconds for this thread
//! and then leaves without it.

mod backoff;
mod config;
mod dial;
mod driver;
mod event;
mod handle;
pub(crate) mod link_state;
mod network_thread;
mod urls;

pub use config::{NetConfig, Timing};
pub use event::NetEvent;
pub use handle::NetHandle;
pub use network_thread::start;
pub use urls::urls;
