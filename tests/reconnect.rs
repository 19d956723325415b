//! The connection: the pump on a socket pair, then the network thread against a server and a proxy that misbehave.
//! The numbers in the names are the rows of the fault list that the design began with (C1 to C20).

mod dialing;
mod http;
mod living;
mod process;
mod pump;
mod rig;
