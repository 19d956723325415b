//! What can happen: the closed list of events that the hub takes from the other threads.

use crate::daemon::connection::NetEvent;
use crate::daemon::control::reply::ControlRequest;
use crate::daemon::outbound::http_call::{HttpOutcome, HttpPurpose};
use crate::daemon::outbound::upload_waiters::FinishedUpload;
use crate::session::SessionEvent;
use crate::sys::signal::Signal;

/// Everything that can make the hub do something.
#[derive(Debug)]
pub(crate) enum Event {
    Net(NetEvent),
    Session(SessionEvent),
    Signal(Signal),
    /// The command line asks.
    Control(ControlRequest),
    /// A call by HTTP has ended.
    HttpOutcome(HttpPurpose, HttpOutcome),
    /// How far a file of this topic is on its way out.
    Uploading(String, String),
    /// A file that was asked for is out; its card is not yet.
    FinishedUpload(Box<FinishedUpload>),
    /// The owner of the daemon (`try`) ends it.
    Stop,
}
