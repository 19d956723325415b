//! A request of the command line with the way back, and the one answer that goes there.

use super::Request;
use serde_json::Value;
use std::io::Write;
use std::os::unix::net::UnixStream;

/// A request with the way back.
#[derive(Debug)]
pub(crate) struct ControlRequest {
    pub(crate) request: Request,
    pub(crate) back: UnixStream,
}

/// Sends the one answer. It fits into what the system holds for the socket, so the hub never waits for its reader. False
/// if the client is gone.
pub(crate) fn reply(mut back: UnixStream, answer: &Value) -> bool {
    let sent = back.set_nonblocking(true).and_then(|()| back.write_all(format!("{answer}\n").as_bytes()));
    if let Err(error) = &sent {
        log::debug!(target: "control", "an answer was not taken: {error}");
    }
    sent.is_ok()
}
