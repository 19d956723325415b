//! What can happen: the closed list of events that the hub takes from the other threads.

use crate::daemon::connection::NetEvent;
use crate::daemon::control::reply::Asked;
use crate::daemon::outbound::http_call::{Posted, Tag};
use crate::daemon::outbound::upload_waiters::Filed;
use crate::session::SessionEvent;
use crate::sys::signal::Signal;

/// Everything that can make the hub do something.
#[derive(Debug)]
pub(crate) enum Event {
    Net(NetEvent),
    Session(SessionEvent),
    Signal(Signal),
    /// The command line asks.
    Control(Asked),
    /// A call by HTTP has ended.
    Posted(Tag, Posted),
    /// How far a file of this topic is on its way out.
    Uploading(String, String),
    /// A file that was asked for is out; its card is not yet.
    Filed(Box<Filed>),
    /// The owner of the daemon (`try`) ends it.
    Stop,
}
