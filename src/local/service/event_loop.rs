//! The one thread that owns the state of the service: takes events, changes state, pushes frames.
//!
//! Actions of sockets are in `actions.rs`, HTTP routes in `routes.rs`; both are methods of [`Desk`].

use super::events::{Knobs, Observed, Seen};
use super::http::{ServiceRequest, ServiceResponse};
use super::state::{Row, State, text};
use crate::sys::websocket_loop::Outgoing;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// Everything that the desk reacts to.
pub enum Event {
    /// A WebSocket was opened at `/ws/<agent>`.
    Open {
        /// Number of the connection.
        link: u64,
        /// The agent of the path.
        agent: String,
        /// To send frames.
        out: Outgoing,
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
    Call(Box<dyn FnOnce(&mut Desk) + Send>),
    /// End.
    Stop,
}

/// One WebSocket.
#[derive(Debug)]
pub struct Link {
    /// The agent of its path.
    pub agent: String,
    /// Authenticated as the agent itself, or as a person who watches it.
    pub role: Option<Role>,
    out: Outgoing,
    socket: TcpStream,
}

/// Who speaks on a link or in an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The agent.
    Agent,
    /// The person.
    User,
}

/// The owner of all state.
#[derive(Debug)]
pub struct Desk {
    /// What the service knows.
    pub state: State,
    /// How it misbehaves.
    pub knobs: Knobs,
    /// Token of the person.
    pub user_token: String,
    /// `http://127.0.0.1:<port>`
    pub base_url: String,
    /// Folder of uploads.
    pub uploads: PathBuf,
    /// Open WebSockets by number.
    pub links: BTreeMap<u64, Link>,
    /// Terminals and shell jobs.
    pub hosts: super::host_relay::Hosts,
    watchers: Vec<Sender<Observed>>,
    delayed: Vec<(Instant, u64, String)>,
}

impl Desk {
    /// A desk without agents.
    pub fn new(base_url: String, user_token: String, uploads: PathBuf) -> Desk {
        Desk {
            state: State::default(),
            knobs: Knobs::default(),
            user_token,
            base_url,
            uploads,
            links: BTreeMap::new(),
            hosts: super::host_relay::Hosts::default(),
            watchers: Vec::new(),
            delayed: Vec::new(),
        }
    }

    /// Works until [`Event::Stop`] or until nobody can send events any more.
    pub fn run(mut self, inbox: &Receiver<Event>) {
        while let Some(event) = self.next_event(inbox) {
            match event {
                Event::Open { link, agent, out, socket } => self.open(link, agent, out, socket),
                Event::Text { link, text } => self.frame(link, &text),
                Event::Closed { link, why } => self.closed(link, why),
                Event::Http { request, reply } => self.answer(&request, &reply),
                Event::Call(call) => call(&mut self),
                Event::Stop => break,
            }
        }
        for link in self.links.values() {
            link.out.send(close(1001, "going away"));
        }
    }

    /// Waits for the next event; sends the delayed results that fall due meanwhile.
    fn next_event(&mut self, inbox: &Receiver<Event>) -> Option<Event> {
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

    fn open(&mut self, number: u64, agent: String, out: Outgoing, socket: TcpStream) {
        self.note(&agent, Seen::Up);
        self.links.insert(number, Link { agent, role: None, out, socket });
    }

    fn closed(&mut self, number: u64, why: String) {
        if let Some(link) = self.links.remove(&number) {
            self.leave(number, &link.agent);
            self.note(&link.agent, Seen::Down(why));
        }
    }

    fn answer(&mut self, request: &ServiceRequest, reply: &Sender<ServiceResponse>) {
        let response = self.route(request);
        let (head, status) = (&request.head, response.status);
        let agent =
            self.state.agent_by_token(head.token().unwrap_or_default()).unwrap_or_default().to_owned();
        self.note(&agent, Seen::Http { method: head.method.clone(), target: head.target.clone(), status });
        let _ = reply.send(response);
    }

    /// Adds someone who wants to see everything.
    pub fn watch(&mut self, watcher: Sender<Observed>) {
        self.watchers.push(watcher);
    }

    /// Tells the watchers.
    pub fn note(&mut self, agent: &str, seen: Seen) {
        let observed = Observed { at: Instant::now(), agent: agent.to_owned(), seen };
        self.watchers.retain(|w| w.send(observed.clone()).is_ok());
    }

    /// Sends a frame on one link.
    pub fn send(&mut self, link: u64, frame: &Value) {
        self.send_text(link, frame.to_string());
    }

    /// Sends text on one link; nothing when it is gone.
    pub fn send_text(&mut self, link: u64, frame: String) {
        if let Some(link) = self.links.get(&link).filter(|_| !self.knobs.mute) {
            link.out.send(Message::text(frame));
        }
    }

    /// Sends text later: results under [`Knobs::delay_results`].
    pub fn send_later(&mut self, link: u64, frame: String, delay: Duration) {
        self.delayed.push((Instant::now() + delay, link, frame));
    }

    /// Closes a link with a code once what was sent before is out.
    pub fn close_link(&mut self, number: u64, code: u16, reason: &str) {
        if let Some(link) = self.links.get(&number) {
            link.out.send(close(code, reason));
        }
    }

    /// Cuts every socket of an agent without a closing frame, as a dying network does.
    pub fn cut(&mut self, agent: &str) -> usize {
        let mine = self.links.values().filter(|l| l.agent == agent && l.role != Some(Role::User));
        mine.filter(|l| l.socket.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// The links that speak for an agent in a role.
    pub fn links_of(&self, agent: &str, role: Role) -> Vec<u64> {
        let mine = self.links.iter().filter(|(_, l)| l.agent == agent && l.role == Some(role));
        mine.map(|(number, _)| *number).collect()
    }

    /// Sends a frame to an agent; false when it is not connected.
    pub fn send_to_agent(&mut self, agent: &str, frame: &Value) -> bool {
        let links = self.links_of(agent, Role::Agent);
        links.iter().for_each(|l| self.send(*l, frame));
        !links.is_empty()
    }

    /// Stores a message, pushes it to the members of its topic and to those who watch them, and returns the row.
    /// None when the topic does not exist.
    pub fn post(&mut self, topic_id: &str, row: Row) -> Option<Row> {
        let row = self.state.add_message(topic_id, row)?;
        let frame = json!({ "type": "new_message", "message": self.disguise(&row) });
        let (sender, message_id) =
            (text(&row, "sender_id").unwrap_or_default(), text(&row, "id").unwrap_or_default());
        let members = self.state.topics.get(topic_id).map(|t| t.members.clone()).unwrap_or_default();
        for member in &members {
            let own = member == sender;
            if !(own && self.knobs.no_echo) {
                let pushed = self.send_to_agent(member, &frame);
                if pushed && self.knobs.duplicate_pushes {
                    self.send_to_agent(member, &frame);
                }
                if !pushed && !own {
                    self.state.mark_unread(member, topic_id, message_id);
                }
            }
        }
        self.show(&members.iter().map(String::as_str).collect::<Vec<_>>(), &frame);
        self.note(sender, Seen::Message(Value::Object(row.clone())));
        Some(row)
    }

    /// Sends a frame to every person who watches one of these agents.
    pub fn show(&mut self, agents: &[&str], frame: &Value) {
        let watching =
            self.links.iter().filter(|(_, l)| l.role == Some(Role::User) && agents.contains(&&*l.agent));
        let numbers: Vec<u64> = watching.map(|(number, _)| *number).collect();
        numbers.iter().for_each(|l| self.send(*l, frame));
    }

    /// Pushes a changed task to the agents of its topic and to those who watch them.
    pub fn push_task(&mut self, task: &Row) {
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
        self.show(&members.iter().map(String::as_str).collect::<Vec<_>>(), &frame);
        self.note("", Seen::Task(Value::Object(task.clone())));
    }

    /// The message as the knobs want it pushed.
    fn disguise(&self, row: &Row) -> Value {
        let mut row = row.clone();
        if self.knobs.metadata_as_string {
            let plain = row.get("metadata").map(Value::to_string).unwrap_or_default();
            row.insert("metadata".into(), plain.into());
        }
        if self.knobs.bare_pushes {
            row.remove("metadata");
        }
        if self.knobs.upper_case_sender {
            let upper = text(&row, "sender_type").unwrap_or_default().to_ascii_uppercase();
            row.insert("sender_type".into(), upper.into());
        }
        if self.knobs.missing_topic_type {
            row.remove("topic_type");
        }
        if self.knobs.push_message_id
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
