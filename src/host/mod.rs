//! This machine as seen from the web: terminals, one-shot shell commands, runtime info.
//!
//! One thread, the keeper, has all of it. It never blocks on a terminal, a command or the network: each terminal has
//! threads of its own that do, and output is sent only while little waits for the socket, so that a flood in a terminal
//! makes its program wait and neither fills the memory nor holds up a reply.

mod child;
mod env;
mod flow_control;
mod manager;
mod output_buffer;
mod pty;
mod readonly;
mod runtime;
mod shell;
mod terminal;

use crate::config::{Config, ShellSettings};
use crate::json;
use crate::sys::thread;
use crate::sys::websocket_loop::PingReply;
use crate::wire::frame::ActionResult;
use crate::wire::host_frames::Call;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Terminals and commands get this long to end with the daemon.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
/// The variable that shortens [`HostTimeouts`] for tests of the real binary: a JSON object of milliseconds by field name.
const TEST_TIMES: &str = "WTT_CONNECT_TEST_HOST_TIMES";

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

/// How long terminals are kept, and how often the repository is looked at.
#[derive(Debug, Clone, Copy)]
struct HostTimeouts {
    /// Without a connection.
    grace: Duration,
    /// With neither keys nor output.
    idle: Duration,
    /// Without keys.
    forgotten: Duration,
    /// From one look at the repository to the next.
    glance: Duration,
}

impl HostTimeouts {
    fn from_env() -> HostTimeouts {
        let text = std::env::var(TEST_TIMES).unwrap_or_default();
        let changes = json::parse::<Value>(text).unwrap_or_default();
        let time = |name: &str, usual: u64| {
            changes[name].as_u64().map_or(Duration::from_secs(usual), Duration::from_millis)
        };
        // a restart of the service or of a router takes a minute; a closed tab does not come back; and who only watches
        // is gone after a night; the connection's own pings wake the machine more often than every minute
        HostTimeouts {
            grace: time("grace", 120),
            idle: time("idle", 30 * 60),
            forgotten: time("forgotten", 12 * 60 * 60),
            glance: time("glance", 60),
        }
    }
}

/// What of the configuration is needed here.
struct HostSettings {
    shell: ShellSettings,
    workdir: PathBuf,
    base_url: String,
    /// Runtime info without what changes.
    about: Value,
    times: HostTimeouts,
}

/// Everything that makes the keeper do something.
enum HostEvent {
    /// The service asks.
    Call(Box<Call>),
    /// The connection has come or gone.
    Connection(bool),
    /// Something may have changed that runtime info shows: a turn is over. With the usage so far.
    TurnEnded(Value),
    /// The service does not know runtime info.
    RuntimeInfoRefused,
    /// What git says.
    Git(runtime::GitReport),
    /// A terminal has output, or has ended its output.
    Output,
    /// The shell of a terminal has ended.
    Exited(u64, i32),
    /// A one-shot command is over.
    JobDone(u64),
    /// The daemon ends.
    Shutdown,
}

/// The hub's handle. Nothing here blocks but [`Host::end`].
pub struct Host {
    manager: Sender<HostEvent>,
    ended: Receiver<()>,
    terminals: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl Host {
    /// Starts the keeper.
    pub fn start(config: &Config, out: Arc<dyn FrameSink>) -> io::Result<Host> {
        let settings = HostSettings {
            shell: config.shell,
            workdir: config.workdir.clone(),
            base_url: config.base_url.clone(),
            about: runtime::static_info(config),
            times: HostTimeouts::from_env(),
        };
        let (keeper, inbox) = unbounded();
        let (over, ended) = bounded::<()>(0);
        let (to_itself, terminals) = (keeper.clone(), Arc::<AtomicUsize>::default());
        let open = terminals.clone();
        thread::spawn("host", move || {
            manager::HostManager::new(settings, out, to_itself).run(&inbox, &open);
            drop(over);
        })?;
        Ok(Host { manager: keeper, ended, terminals })
    }

    /// The service asks something.
    pub fn handle_call(&self, call: Call) {
        let _ = self.manager.send(HostEvent::Call(Box::new(call)));
    }

    /// How many terminals are open.
    pub fn open_terminals(&self) -> usize {
        self.terminals.load(Ordering::Relaxed)
    }

    /// The connection has come or gone.
    pub fn on_connection(&self, up: bool) {
        let _ = self.manager.send(HostEvent::Connection(up));
    }

    /// A turn is over: git may say something else, and so does the usage.
    pub fn on_turn_ended(&self, usage: Value) {
        let _ = self.manager.send(HostEvent::TurnEnded(usage));
    }

    /// An answer of the service to nothing that the hub asked. Refused runtime info: quiet until the next connection.
    pub fn on_action_result(&self, result: &ActionResult) {
        let ours = result.request_id.as_deref().is_some_and(|id| id.starts_with(runtime::REQUEST_ID_PREFIX));
        if ours && !result.ok {
            let _ = self.manager.send(HostEvent::RuntimeInfoRefused);
        }
    }

    /// Ends every terminal and command, and waits for that.
    pub fn end(&self) {
        let _ = self.manager.send(HostEvent::Shutdown);
        let _ = self.ended.recv_timeout(SHUTDOWN_GRACE);
    }
}
