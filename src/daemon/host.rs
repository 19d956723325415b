//! The hub's side of terminal, shell and runtime info: hands over what the service asks, and tells what has happened.

use crate::daemon::hub::Hub;
use crate::daemon::net::NetHandle;
use crate::host::Out;
use crate::wire::outgoing;

impl Out for NetHandle {
    fn send(&self, frame: String) -> bool {
        NetHandle::send(self, frame)
    }

    fn backlog(&self) -> usize {
        self.backlog_bytes()
    }
}

impl Hub {
    /// A request of the service that is about no message and no part of this machine.
    pub(super) fn on_request(&mut self, kind: &str, request_id: &str) {
        let error = if kind.starts_with("e2e") { "e2e_not_configured" } else { "not_supported" };
        log::debug!(target: "hub", "refused a `{kind}` of the service: {error}");
        self.net.send(outgoing::refuse(kind, request_id, error));
    }
}
