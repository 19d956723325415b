//! Sessions: one mailbox and one worker thread per topic or task. Strict order inside, parallel across.
//!
//! A worker keeps nothing that the hub does not also have on disk; it ends when its mailbox has been idle for a while.

pub mod attachments;
pub mod chat_command;
mod event;
pub mod failure_text;
pub mod file_upload;
mod interruptible;
mod language;
pub mod messages;
pub mod model;
pub mod permissions;
mod preflight;
pub mod progress;
pub mod prompt;
pub mod routing;
mod shared;
pub mod slash_command;
pub mod speech;
mod switcher_lock;
pub mod task;
pub mod turn;
mod user_program;
mod work;
mod worker;

pub use crate::session::event::{AskedPermission, SessionEvent};
pub use crate::session::preflight::check_adapter;
pub use crate::session::shared::Shared;
pub use crate::session::switcher_lock::SwitcherLock;
pub use crate::session::work::{Assignment, SessionChange, Work};
use crate::store::state::SessionRow;
use crate::wire::intake::Scope;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Sends [`SessionEvent`]s into the hub's queue; blocks while that is full, which slows the agent, not the hub.
pub type WrapEvent<E> = fn(SessionEvent) -> E;

/// Starts a worker. It ends when the mailbox's sender is dropped and the mailbox is empty.
pub fn start<E: Send + 'static>(
    shared: Arc<Shared>,
    scope: Scope,
    rows: BTreeMap<String, SessionRow>,
    mailbox: Receiver<Work>,
    events: Sender<E>,
    wrap: WrapEvent<E>,
) -> io::Result<std::thread::JoinHandle<()>> {
    let name = format!("s:{}", short(&scope));
    crate::sys::thread::spawn(&name, move || {
        let mut worker = worker::Worker::new(shared, scope, rows, move |event| {
            // a hub that is gone means shutdown: the outbox has the reply, nothing else matters
            let _ = events.send(wrap(event));
        });
        while let Ok(work) = mailbox.recv() {
            worker.work(work);
        }
    })
}

fn short(scope: &Scope) -> String {
    let (Scope::Topic(id) | Scope::Task(id)) = scope;
    id.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}
