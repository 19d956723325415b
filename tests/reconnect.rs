//! The connection: the pump on a socket pair, then the network thread against a server and a proxy that misbehave.

mod dialing;
mod http;
mod living;
mod process;
mod pump;
mod rig;
