//! The one thread that owns the state of the service. It handles inputs, changes the state, and pushes frames.
//!
//! The actions of sockets are in `actions.rs`, the HTTP routes in `routes.rs`; both are methods of [`ServiceLoop`].

use super::events::{Faults, Observed, ServiceEvent};
use super::http::{ServiceRequest, ServiceResponse};
use super::state::{JsonObject, ServiceState, text};
use crate::sys::websocket_loop::WebSocketSender;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// Everything that the loop handles.
pub enum LoopInput {
    /// A WebSocket was opened at `/ws/<agent>`.
    Open {
        /// Number of its connection.
        socket_id: u64,
        /// The agent of the path.
        agent: String,
        /// Sends frames.
        out: WebSocketSender,
        /// Cuts the connection.
        socket: TcpStream,
    },
    /// A text frame.
    Text {
        /// Number of its connection.
        socket_id: u64,
        /// The frame.
        text: String,
    },
    /// A WebSocket has ended.
    Closed {
        /// Number of its connection.
        socket_id: u64,
        /// Why, for people.
        reason: String,
    },
    /// An HTTP request.
    Http {
        /// The request.
        request: ServiceRequest,
        /// Receives the response.
        reply: Sender<ServiceResponse>,
    },
    /// A call of a method of [`super::Service`].
    Call(Box<dyn FnOnce(&mut ServiceLoop) + Send>),
    /// Closes all sockets and ends the loop.
    Stop,
}

/// An open WebSocket.
#[derive(Debug)]
pub struct ServiceSocket {
    /// The agent of its path.
    pub agent: String,
    /// None until it has authenticated.
    pub role: Option<SocketRole>,
    out: WebSocketSender,
    socket: TcpStream,
}

/// Who authenticated on a socket or in an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRole {
    /// The agent itself.
    Agent,
    /// The person, who watches the agent.
    User,
}

/// All state of the service.
#[derive(Debug)]
pub struct ServiceLoop {
    /// What the service knows.
    pub state: ServiceState,
    /// The faults that are injected.
    pub faults: Faults,
    /// Token of the person.
    pub user_token: String,
    /// `http://127.0.0.1:<port>`
    pub base_url: String,
    /// Folder of uploads.
    pub uploads: PathBuf,
    /// Open WebSockets by the number of their connection.
    pub sockets: HashMap<u64, ServiceSocket>,
    /// Terminals and shell jobs.
    pub relay: super::relay_state::HostRelay,
    observers: Vec<Sender<Observed>>,
    delayed: Vec<(Instant, u64, String)>,
}

impl ServiceLoop {
    /// A service without agents. `uploads` is an existing folder.
    pub fn new(base_url: String, user_token: String, uploads: PathBuf) -> ServiceLoop {
        ServiceLoop {
            state: ServiceState::default(),
            faults: Faults::default(),
            user_token,
            base_url,
            uploads,
            sockets: HashMap::new(),
            relay: super::relay_state::HostRelay::default(),
            observers: Vec::new(),
            delayed: Vec::new(),
        }
    }

    /// Handles inputs until [`LoopInput::Stop`], or until no sender is left.
    pub fn run(mut self, inputs: &Receiver<LoopInput>) {
        while let Some(input) = self.next_input(inputs) {
            match input {
                LoopInput::Open { socket_id, agent, out, socket } => {
                    self.add_socket(socket_id, agent, out, socket)
                }
                LoopInput::Text { socket_id, text } => self.handle_frame(socket_id, &text),
                LoopInput::Closed { socket_id, reason } => self.remove_socket(socket_id, reason),
                LoopInput::Http { request, reply } => self.handle_http(&request, &reply),
                LoopInput::Call(call) => call(&mut self),
                LoopInput::Stop => break,
            }
        }
        for socket in self.sockets.values() {
            socket.out.send(close_frame(1001, "going away"));
        }
    }

    /// Waits for the next input, and sends the delayed results that fall due meanwhile.
    fn next_input(&mut self, inputs: &Receiver<LoopInput>) -> Option<LoopInput> {
        loop {
            let now = Instant::now();
            let (due, later): (Vec<_>, Vec<_>) = self.delayed.drain(..).partition(|(at, _, _)| *at <= now);
            self.delayed = later;
            for (_, socket_id, frame) in due {
                self.send_text(socket_id, frame);
            }
            let Some(wait) = self.delayed.iter().map(|(at, _, _)| at.saturating_duration_since(now)).min()
            else {
                return inputs.recv().ok();
            };
            match inputs.recv_timeout(wait) {
                Ok(input) => return Some(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn add_socket(&mut self, socket_id: u64, agent: String, out: WebSocketSender, socket: TcpStream) {
        self.notify_observers(&agent, ServiceEvent::SocketOpened);
        self.sockets.insert(socket_id, ServiceSocket { agent, role: None, out, socket });
    }

    fn remove_socket(&mut self, socket_id: u64, reason: String) {
        if let Some(socket) = self.sockets.remove(&socket_id) {
            self.close_terminals_of(socket_id, &socket.agent);
            self.notify_observers(&socket.agent, ServiceEvent::SocketClosed(reason));
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

    /// Adds an observer, which receives every event from now on.
    pub fn add_observer(&mut self, observer: Sender<Observed>) {
        self.observers.push(observer);
    }

    /// Sends an event to all observers. `agent` is empty if it concerns none.
    pub fn notify_observers(&mut self, agent: &str, event: ServiceEvent) {
        let observed = Observed { at: Instant::now(), agent: agent.to_owned(), event };
        self.observers.retain(|w| w.send(observed.clone()).is_ok());
    }

    /// Sends a frame to a socket.
    pub fn send(&self, socket_id: u64, frame: &Value) {
        self.send_text(socket_id, frame.to_string());
    }

    /// Sends text to a socket, unless it has closed.
    pub fn send_text(&self, socket_id: u64, frame: String) {
        if let Some(socket) = self.sockets.get(&socket_id).filter(|_| !self.faults.answer_nothing) {
            socket.out.send(Message::text(frame));
        }
    }

    /// Sends text to a socket later, for [`Faults::delay_results`].
    pub fn send_later(&mut self, socket_id: u64, frame: String, delay: Duration) {
        self.delayed.push((Instant::now() + delay, socket_id, frame));
    }

    /// Closes a socket with a code, after the frames that were sent before.
    pub fn close_socket(&self, socket_id: u64, code: u16, reason: &str) {
        if let Some(socket) = self.sockets.get(&socket_id) {
            socket.out.send(close_frame(code, reason));
        }
    }

    /// Cuts every socket of an agent without a closing frame, as a failing network does. Returns their number.
    pub fn cut_sockets(&self, agent: &str) -> usize {
        let mine = self.sockets.values().filter(|l| l.agent == agent && l.role != Some(SocketRole::User));
        mine.filter(|l| l.socket.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// The sockets that have authenticated for an agent in a role.
    pub fn sockets_of(&self, agent: &str, role: SocketRole) -> Vec<u64> {
        let mine = self.sockets.iter().filter(|(_, l)| l.agent == agent && l.role == Some(role));
        mine.map(|(socket_id, _)| *socket_id).collect()
    }

    /// Sends a frame to an agent. False if it is not connected.
    pub fn send_to_agent(&self, agent: &str, frame: &Value) -> bool {
        let sockets = self.sockets_of(agent, SocketRole::Agent);
        sockets.iter().for_each(|socket_id| self.send(*socket_id, frame));
        !sockets.is_empty()
    }

    /// Stores a message and pushes it to the members of its topic and to the people who watch them. Returns the stored
    /// row; None if the topic does not exist.
    pub fn post_message(&mut self, topic_id: &str, row: JsonObject) -> Option<JsonObject> {
        let row = self.state.add_message(topic_id, row)?;
        let frame = json!({ "type": "new_message", "message": self.apply_push_faults(&row) });
        let (sender, message_id) =
            (text(&row, "sender_id").unwrap_or_default(), text(&row, "id").unwrap_or_default());
        let members = self.state.members(topic_id);
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
        self.send_to_watchers(|watched| members.contains(watched), &frame);
        self.notify_observers(sender, ServiceEvent::Message(Value::Object(row.clone())));
        Some(row)
    }

    /// Sends a frame to every person who watches one of the agents that match.
    pub fn send_to_watchers(&self, matches: impl Fn(&str) -> bool, frame: &Value) {
        for (socket_id, socket) in &self.sockets {
            if socket.role == Some(SocketRole::User) && matches(&socket.agent) {
                self.send(*socket_id, frame);
            }
        }
    }

    /// Pushes a changed task to the agents of its topic and to the people who watch them.
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
        let members = self.state.members(topic_id);
        for member in &members {
            self.send_to_agent(member, &frame);
        }
        self.send_to_watchers(|watched| members.contains(watched), &frame);
        self.notify_observers("", ServiceEvent::TaskChanged(Value::Object(task.clone())));
    }

    /// A message as it is pushed under the present faults.
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

fn close_frame(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }))
}
