//! A small WTT service on 127.0.0.1: what `wtt-connect try` talks to, and what the integration tests measure against.
//!
//! It speaks what wtt-connect-protocol(7) describes, as far as agents and the smoke tests need it. Threads: one
//! accepts, one per connection moves bytes (`connection.rs`), one owns all state (`event_loop.rs`). It encodes frames
//! by itself, on purpose: it is the peer of `wire`, and a mistake there must not be repeated here.

mod actions;
mod connection;
mod event_loop;
mod events;
mod host_relay;
mod http;
mod media;
mod relay_state;
mod routes;
mod state;

pub use events::{Faults, Observed, ServiceEvent};

use crate::sys::{id, thread};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use event_loop::{LoopInput, ServiceLoop};
use serde_json::{Map, Value};
use state::{JsonObject, USER_ID, text};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Inputs that may wait for the event loop; connections block when it is behind.
const INPUT_QUEUE: usize = 1024;
/// Connections at a time; far above what a connector and a few browsers need.
const CONNECTIONS_MAX: usize = 512;
/// Time to connect to our own listener, which wakes its accept call; also the pause after a failed accept call.
const ACCEPT_WAKE_TIME: Duration = Duration::from_millis(500);

/// How to start the service.
#[derive(Debug, Default)]
pub struct ServiceOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// An existing folder for uploads. None creates one in the system's temporary folder, and removes it at the end.
    pub uploads: Option<PathBuf>,
}

/// The author of a message that [`Service::post_message`] posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageAuthor<'a> {
    /// The person in front of the machine.
    Human,
    /// A person, by user id.
    Person(&'a str),
    /// An agent, by id; it need not be connected.
    Agent(&'a str),
    /// The service itself.
    System,
}

/// A running service. Dropping it stops it.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    user_token: String,
    inputs: Sender<LoopInput>,
    is_stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// The folder for uploads, if the service has created it.
    own_folder: Option<PathBuf>,
}

impl std::fmt::Debug for LoopInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoopInput")
    }
}

impl Service {
    /// Starts the service. When this returns, it accepts connections.
    pub fn start(options: ServiceOptions) -> io::Result<Service> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let (uploads, own_folder) = match options.uploads {
            Some(folder) => (folder, None),
            None => {
                let folder = std::env::temp_dir().join(format!("wtt-service-{}", id::hex()));
                std::fs::create_dir(&folder)?;
                (folder.clone(), Some(folder))
            }
        };
        let (inputs, input_queue) = bounded(INPUT_QUEUE);
        let user_token = format!("wtt-user-{}", id::hex());
        let service_loop = ServiceLoop::new(format!("http://{address}"), user_token.clone(), uploads.clone());
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (accept_inputs, stop) = (inputs.clone(), is_stopping.clone());
        let threads = vec![
            thread::spawn("wtt-service", move || service_loop.run(&input_queue))?,
            thread::spawn("wtt-accept", move || {
                accept_connections(&listener, &accept_inputs, &uploads, &stop)
            })?,
        ];
        Ok(Service { address, user_token, inputs, is_stopping, threads, own_folder })
    }

    /// `http://127.0.0.1:<port>`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Token of the person, for HTTP and for sockets that watch an agent.
    pub fn user_token(&self) -> &str {
        &self.user_token
    }

    /// Adds an agent, or gives it another token or name.
    pub fn add_agent(&self, agent_id: &str, token: &str, display_name: &str) {
        let (agent_id, token, name) = (agent_id.to_owned(), token.to_owned(), display_name.to_owned());
        self.run_in_loop(move |service| service.state.add_agent(&agent_id, &token, &name));
    }

    /// Creates a topic (`p2p`, `discussion`, `collaborative`, `broadcast`) with agents as members. Returns its id.
    pub fn create_topic(&self, kind: &str, name: &str, members: &[&str]) -> String {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let members: Vec<String> = members.iter().map(|m| (*m).to_owned()).collect();
        self.run_in_loop(move |service| {
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            service.state.add_topic(&kind, &name, &members)
        })
        .unwrap_or_default()
    }

    /// Stores and pushes a message. The fields of the object `extra` are added to it or replace the usual ones.
    /// Returns the message id, which is empty if the topic does not exist.
    pub fn post_message(
        &self,
        topic_id: &str,
        author: MessageAuthor<'_>,
        content: &str,
        extra: Value,
    ) -> String {
        let (sender_id, sender_type) = match author {
            MessageAuthor::Human => (USER_ID, "human"),
            MessageAuthor::Person(user_id) => (user_id, "human"),
            MessageAuthor::Agent(agent_id) => (agent_id, "agent"),
            MessageAuthor::System => ("system", "system"),
        };
        let mut row = JsonObject::new();
        row.insert("sender_id".into(), sender_id.into());
        row.insert("sender_type".into(), sender_type.into());
        row.insert("content".into(), content.into());
        if let Value::Object(extra) = extra {
            row.extend(extra);
        }
        let topic_id = topic_id.to_owned();
        let row = self
            .run_in_loop(move |service| service.post_message(&topic_id, row))
            .flatten()
            .unwrap_or_default();
        text(&row, "id").unwrap_or_default().to_owned()
    }

    /// Everything that happens at the service from now on.
    pub fn observe(&self) -> Receiver<Observed> {
        let (observer, observed) = unbounded();
        self.run_in_loop(move |service| service.add_observer(observer));
        observed
    }

    /// The messages of a topic, oldest first.
    pub fn messages(&self, topic_id: &str) -> Vec<Map<String, Value>> {
        let topic_id = topic_id.to_owned();
        self.run_in_loop(move |service| service.state.history(&topic_id, usize::MAX, None))
            .flatten()
            .unwrap_or_default()
    }

    /// Creates a task, as the web does. Returns all of its fields.
    pub fn create_task(&self, fields: Value) -> Map<String, Value> {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.run_in_loop(move |service| service.create_task(fields)).unwrap_or_default()
    }

    /// A task with its present fields.
    pub fn task(&self, task_id: &str) -> Option<Map<String, Value>> {
        let task_id = task_id.to_owned();
        self.run_in_loop(move |service| service.state.tasks.get(&task_id).cloned()).flatten()
    }

    /// Sends any frame to an agent, for example a request that it must answer. False if it is not connected.
    pub fn push_frame(&self, agent_id: &str, frame: Value) -> bool {
        let agent_id = agent_id.to_owned();
        self.run_in_loop(move |service| service.send_to_agent(&agent_id, &frame)).unwrap_or(false)
    }

    /// Replaces the faults that are injected.
    pub fn set_faults(&self, faults: Faults) {
        self.run_in_loop(move |service| service.faults = faults);
    }

    /// Cuts the sockets of an agent without a closing frame. Returns their number.
    pub fn cut_sockets(&self, agent_id: &str) -> usize {
        let agent_id = agent_id.to_owned();
        self.run_in_loop(move |service| service.cut_sockets(&agent_id)).unwrap_or(0)
    }

    /// Stops the service: closes every socket and waits for the accept and event-loop threads.
    pub fn stop(mut self) {
        self.end();
    }

    /// Runs a function on the thread of the event loop. None if the service has stopped.
    fn run_in_loop<T: Send + 'static>(
        &self,
        function: impl FnOnce(&mut ServiceLoop) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = bounded(1);
        let call = Box::new(move |service: &mut ServiceLoop| {
            let _ = reply.send(function(service));
        });
        self.inputs.send(LoopInput::Call(call)).ok()?;
        answer.recv().ok()
    }

    fn end(&mut self) {
        if self.is_stopping.swap(true, Ordering::AcqRel) {
            return;
        }
        let _ = self.inputs.send(LoopInput::Stop);
        let _ = TcpStream::connect_timeout(&self.address, ACCEPT_WAKE_TIME);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if let Some(folder) = &self.own_folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept_connections(
    listener: &TcpListener,
    inputs: &Sender<LoopInput>,
    uploads: &std::path::Path,
    is_stopping: &AtomicBool,
) {
    let open = Arc::new(AtomicUsize::new(0));
    for connection_id in 1.. {
        let Ok((socket, _)) = listener.accept() else {
            // Most likely there are no descriptors left: some connections have to end first.
            crate::sys::thread::sleep(ACCEPT_WAKE_TIME);
            continue;
        };
        if is_stopping.load(Ordering::Acquire) {
            return;
        }
        if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (inputs, uploads, count) = (inputs.clone(), uploads.to_owned(), open.clone());
        let body = move || {
            connection::serve_connection(connection_id, socket, &inputs, &uploads);
            count.fetch_sub(1, Ordering::AcqRel);
        };
        if let Err(e) = thread::spawn_small(&format!("wtt-{connection_id}"), body) {
            open.fetch_sub(1, Ordering::AcqRel);
            log::warn!("local service: no thread for a connection: {e}");
        }
    }
}
