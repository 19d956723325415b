//! This machine as seen from the web: terminals, one-shot shell commands, runtime info.
//!
//! One thread, the keeper, has all of it. It never blocks on a terminal, a command or the network: each terminal has
//! threads of its own that do, and output is sent only while little waits for the socket, so that a flood in a terminal
//! makes its program wait and neither fills the memory nor holds up a reply.

mod child;
mod env;
mod event;
mod flow_control;
mod manager;
mod output_buffer;
mod pty;
mod readonly;
mod runtime;
mod settings;
mod shell;
mod terminal;

use crate::config::Config;
use crate::sys::thread;
use crate::wire::frame::ActionResult;
use crate::wire::host_frames::HostRequest;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
pub use event::FrameSink;
use event::HostEvent;
use serde_json::Value;
use settings::{HostSettings, HostTimeouts};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Terminals and commands get this long to end with the daemon.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
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
    pub fn handle_call(&self, call: HostRequest) {
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
