//! What makes the host's thread do something, and where its frames go. Plain data.

use crate::sys::websocket_loop::PingReply;
use crate::wire::host_frames::HostRequest;
use serde_json::Value;
use std::time::SystemTime;

/// Where frames go: the connection, whoever has it.
pub trait FrameSink: Send + Sync {
    /// Queues a frame; false when there is no connection.
    fn send(&self, frame: String) -> bool;
    /// Bytes queued and not yet on the wire.
    fn backlog(&self) -> usize;
    /// Queues a ping with that number behind everything that was sent.
    fn send_ping(&self, number: usize);
    /// The last pong.
    fn last_ping_reply(&self) -> Option<PingReply>;
}

/// Everything that makes the thread of the host do something.
pub(super) enum HostEvent {
    /// The service asks.
    Call(Box<HostRequest>),
    /// The connection has come or gone.
    Connection(bool),
    /// Something may have changed that runtime info shows: a turn is over. With the usage so far.
    TurnEnded(Value),
    /// The service does not know runtime info.
    RuntimeInfoRefused,
    /// What git says.
    Git(GitReport),
    /// A terminal has output, or has ended its output.
    Output,
    /// The shell of a terminal has ended.
    Exited(u64, i32),
    /// A one-shot command is over.
    JobDone(u64),
    /// The daemon ends.
    Shutdown,
}

/// The state of the repository as git reports it, and the files that it was read from. None: they have not changed.
pub(super) type GitReport = Option<(Value, RepositoryStamps)>;

/// Time and size of the files that change with branch, commit and index.
pub(super) type RepositoryStamps = [Option<(SystemTime, u64)>; 3];
