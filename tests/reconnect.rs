//! The connection: the WebSocket loop on a socket pair, then the network thread against a server and a proxy that misbehave.

mod dialing;
mod http;
mod living;
mod process;
mod rig;
mod websocket_loop;
