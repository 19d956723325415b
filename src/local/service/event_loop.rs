//! The one thread that owns the state of the service: takes events, changes state, pushes frames.
//!
//! Actions of sockets are in `actions.rs`, HTTP routes in `routes.rs`; both are methods of [`ServiceLoop`].

use super::events::{Faults, Observed, ServiceEvent};
use super::http::{ServiceRequest, ServiceResponse};
use super::state::{JsonObject, ServiceState, text};
use crate::sys::websocket_loop::WebSocketSender;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// Everything that the desk reacts to.
pub enum LoopInput {
    /// A WebSocket was opened at `/ws/<agent>`.
    Open {
        /// Number of the connection.
        link: u64,
        /// The agent of the path.
        agent: String,
        /// To send frames.
        out: WebSocketSender,
        /// To cut the connection.
        socket: TcpStream,
    },
    /// A text frame.
    Text {
        /// Number of the connection.
        link: u64,
        /// The frame.
        text: String,
    },
    /// A WebSocket has ended.
    Closed {
        /// Number of the connection.
        link: u64,
        /// Why.
        why: String,
    },
    /// An HTTP request.
    Http {
        /// The request.
        request: ServiceRequest,
        /// Where the answer goes.
        reply: Sender<ServiceResponse>,
    },
    /// A call of the in-process interface; each is one small method of [`super::Service`].
    Call(Box<dyn FnOnce(&mut ServiceLoop) + Send>),
    /// End.
    Stop,
}

/// One WebSocket.
#[derive(Debug)]
pub struct ServiceSocket {
    /// The agent of its path.
    pub agent: String,
    /// Authenticated as the agent itself, or as a person who watches it.
    pub role: Option<SocketRole>,
    out: WebSocketSender,
    socket: TcpStream,
}

/// Who speaks on a link or in an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRole {
    /// The agent.
    Agent,
    /// The person.
    User,
}

/// The owner of all state.
#[derive(Debug)]
pub struct ServiceLoop {
    /// What the service knows.
    pub state: ServiceState,
    /// How it misbehaves.
    pub faults: Faults,
    /// Token of the person.
    pub user_token: String,
    /// `http://127.0.0.1:<port>`
    pub base_url: String,
    /// Folder of uploads.
    pub uploads: PathBuf,
    /// Open WebSockets by number.
    pub sockets: BTreeMap<u64, ServiceSocket>,
    /// Terminals and shell jobs.
    pub relay: super::host_relay::HostRelay,
    observers: Vec<Sender<Observed>>,
    delayed: Vec<(Instant, u64, String)>,
}

impl ServiceLoop {
    /// A desk without agents.
    pub fn new(base_url: String, user_token: String, uploads: PathBuf) -> ServiceLoop {
        ServiceLoop {
            state: ServiceState::default(),
            faults: Faults::default(),
            user_token,
            base_url,
            uploads,
            sockets: BTreeMap::new(),
            relay: super::host_relay::HostRelay::default(),
            observers: Vec::new(),
            delayed: Vec::new(),
        }
    }

    /// Works until [`Event::Stop`] or until nobody can send events any more.
    pub fn run(mut self, inbox: &Receiver<LoopInput>) {
        while let Some(event) = self.next_event(inbox) {
            match event {
                LoopInput::Open { link, agent, out, socket } => self.open(link, agent, out, socket),
                LoopInput::Text { link, text } => self.handle_frame(link, &text),
                LoopInput::Closed { link, why } => self.remove_socket(link, why),
                LoopInput::Http { request, reply } => self.handle_http(&request, &reply),
                LoopInput::Call(call) => call(&mut self),
                LoopInput::Stop => break,
            }
        }
        for link in self.sockets.values() {
            link.out.send(close(1001, "going away"));
        }
    }

    /// Waits for the next event; sends the delayed results that fall due meanwhile.
    fn next_event(&mut self, inbox: &Receiver<LoopInput>) -> Option<LoopInput> {
        loop {
            let now = Instant::now();
            let (due, later): (Vec<_>, Vec<_>) = self.delayed.drain(..).partition(|(at, _, _)| *at <= now);
            self.delayed = later;
            for (_, link, frame) in due {
                self.send_text(link, frame);
            }
            let Some(wait) = self.delayed.iter().map(|(at, _, _)| at.saturating_duration_since(now)).min()
            else {
                return inbox.recv().ok();
            };
            match inbox.recv_timeout(wait) {
                Ok(event) => return Some(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn open(&mut self, number: u64, agent: String, out: WebSocketSender, socket: TcpStream) {
        self.notify_observers(&agent, ServiceEvent::SocketOpened);
        self.sockets.insert(number, ServiceSocket { agent, role: None, out, socket });
    }

    fn remove_socket(&mut self, number: u64, why: String) {
        if let Some(link) = self.sockets.remove(&number) {
            self.close_terminals_of(number, &link.agent);
            self.notify_observers(&link.agent, ServiceEvent::SocketClosed(why));
        }
    }

    fn handle_http(&mut self, request: &ServiceRequest, reply: &Sender<ServiceResponse>) {
        let response = self.route(request);
        let (head, status) = (&request.head, response.status);
        let agent =
            self.state.agent_by_token(head.token().unwrap_or_default()).unwrap_or_default().to_owned();
        self.notify_observers(
            &agent,
            ServiceEvent::HttpRequest { method: head.method.clone(), target: head.target.clone(), status },
        );
        let _ = reply.send(response);
    }

    /// Adds someone who wants to see everything.
    pub fn add_observer(&mut self, watcher: Sender<Observed>) {
        self.observers.push(watcher);
    }

    /// Tells the watchers.
    pub fn notify_observers(&mut self, agent: &str, seen: ServiceEvent) {
        let observed = Observed { at: Instant::now(), agent: agent.to_owned(), event: seen };
        self.observers.retain(|w| w.send(observed.clone()).is_ok());
    }

    /// Sends a frame on one link.
    pub fn send(&mut self, link: u64, frame: &Value) {
        self.send_text(link, frame.to_string());
    }

    /// Sends text on one link; nothing when it is gone.
    pub fn send_text(&mut self, link: u64, frame: String) {
        if let Some(link) = self.sockets.get(&link).filter(|_| !self.faults.answer_nothing) {
            link.out.send(Message::text(frame));
        }
    }

    /// Sends text later: results under [`Faults::delay_results`].
    pub fn send_later(&mut self, link: u64, frame: String, delay: Duration) {
        self.delayed.push((Instant::now() + delay, link, frame));
    }

    /// Closes a link with a code once what was sent before is out.
    pub fn close_socket(&mut self, number: u64, code: u16, reason: &str) {
        if let Some(link) = self.sockets.get(&number) {
            link.out.send(close(code, reason));
        }
    }

    /// Cuts every socket of an agent without a closing frame, as a dying network does.
    pub fn cut_sockets(&mut self, agent: &str) -> usize {
        let mine = self.sockets.values().filter(|l| l.agent == agent && l.role != Some(SocketRole::User));
        mine.filter(|l| l.socket.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// The links that speak for an agent in a role.
    pub fn sockets_of(&self, agent: &str, role: SocketRole) -> Vec<u64> {
        let mine = self.sockets.iter().filter(|(_, l)| l.agent == agent && l.role == Some(role));
        mine.map(|(number, _)| *number).collect()
    }

    /// Sends a frame to an agent; false when it is not connected.
    pub fn send_to_agent(&mut self, agent: &str, frame: &Value) -> bool {
        let links = self.sockets_of(agent, SocketRole::Agent);
        links.iter().for_each(|l| self.send(*l, frame));
        !links.is_empty()
    }

    /// Stores a message, pushes it to the members of its topic and to those who watch them, and returns the row.
    /// None when the topic does not exist.
    pub fn post_message(&mut self, topic_id: &str, row: JsonObject) -> Option<JsonObject> {
        let row = self.state.add_message(topic_id, row)?;
        let frame = json!({ "type": "new_message", "message": self.apply_push_faults(&row) });
        let (sender, message_id) =
            (text(&row, "sender_id").unwrap_or_default(), text(&row, "id").unwrap_or_default());
        let members = self.state.topics.get(topic_id).map(|t| t.members.clone()).unwrap_or_default();
        for member in &members {
            let own = member == sender;
            if !(own && self.faults.no_echo) {
                let pushed = self.send_to_agent(member, &frame);
                if pushed && self.faults.duplicate_pushes {
                    self.send_to_agent(member, &frame);
                }
                if !pushed && !own {
                    self.state.mark_unread(member, topic_id, message_id);
                }
            }
        }
        self.send_to_watchers(&members.iter().map(String::as_str).collect::<Vec<_>>(), &frame);
        self.notify_observers(sender, ServiceEvent::Message(Value::Object(row.clone())));
        Some(row)
    }

    /// Sends a frame to every person who watches one of these agents.
    pub fn send_to_watchers(&mut self, agents: &[&str], frame: &Value) {
        let watching = self
            .sockets
            .iter()
            .filter(|(_, l)| l.role == Some(SocketRole::User) && agents.contains(&&*l.agent));
        let numbers: Vec<u64> = watching.map(|(number, _)| *number).collect();
        numbers.iter().for_each(|l| self.send(*l, frame));
    }

    /// Pushes a changed task to the agents of its topic and to those who watch them.
    pub fn push_task(&mut self, task: &JsonObject) {
        let topic_id = text(task, "topic_id").unwrap_or_default();
        let mut frame = json!({ "type": "task_status", "task_id": task.get("id") });
        for key in [
            "status",
            "topic_id",
            "title",
            "description",
            "exec_mode",
            "task_type",
            "runner_agent_id",
            "owner_agent_id",
        ] {
            frame[key] = task.get(key).cloned().unwrap_or(Value::Null);
        }
        let members = self.state.topics.get(topic_id).map(|t| t.members.clone()).unwrap_or_default();
        for member in &members {
            self.send_to_agent(member, &frame);
        }
        self.send_to_watchers(&members.iter().map(String::as_str).collect::<Vec<_>>(), &frame);
        self.notify_observers("", ServiceEvent::TaskChanged(Value::Object(task.clone())));
    }

    /// The message as the faults want it pushed.
    fn apply_push_faults(&self, row: &JsonObject) -> Value {
        let mut row = row.clone();
        if self.faults.metadata_as_string {
            let plain = row.get("metadata").map(Value::to_string).unwrap_or_default();
            row.insert("metadata".into(), plain.into());
        }
        if self.faults.omit_metadata {
            row.remove("metadata");
        }
        if self.faults.upper_case_sender {
            let upper = text(&row, "sender_type").unwrap_or_default().to_ascii_uppercase();
            row.insert("sender_type".into(), upper.into());
        }
        if self.faults.omit_topic_type {
            row.remove("topic_type");
        }
        if self.faults.push_message_id
            && let Some(message_id) = row.remove("id")
        {
            row.insert("message_id".into(), message_id);
        }
        Value::Object(row)
    }
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }))
}
