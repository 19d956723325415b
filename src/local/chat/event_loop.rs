//! The chat itself: one loop over what the service observes, what the person types, signals and time.
//!
//! What is done with input is in `input_handler.rs`.

use super::connector::{AGENT_ID, Connector};
use super::conversation::{Conversation, ReplyOutcome};
use super::input::{is_for_running_turn, is_permission_answer, permission_request_id, read_lines};
use super::line_editor::{LineEditor, PromptEvent};
use super::screen::{AgentStatus, Screen};
use super::strings::{self, is_chinese, replace_name};
use crate::error::{Error, Result};
use crate::local::service::{MessageAuthor, Observed, Service, ServiceEvent};
use crate::sys::signal::Signal;
use crossbeam_channel::{Receiver, never, select};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// Exit code of a turn that was stopped by Ctrl-C, as of a program that SIGINT has killed.
pub(super) const INTERRUPTED: u8 = 130;

/// The elapsed time is shown in seconds.
const TICK: Duration = Duration::from_secs(1);
/// A reply counts as complete after this if its end is not announced, because the connection broke in between.
const REPLY_END_TIME: Duration = Duration::from_secs(3);
/// Without a status line, the first reminder of what a single answer waits for is printed after this; most answers
/// arrive earlier.
const FIRST_REMINDER: Duration = Duration::from_secs(4);
/// Time between further reminders, if the status has changed: often enough to show that the agent still works.
const NEXT_REMINDER: Duration = Duration::from_secs(20);
/// In the status by which the connector refuses a message, because too many wait.
const NOT_ACCEPTED: &str = "was not accepted";

/// What the loop does after an event.
pub(super) enum ChatStep {
    /// Waits for the next event.
    Continue,
    /// Ends with this outcome.
    Quit(Result<()>),
}

/// One chat with the agent, in one topic.
pub struct Chat<'a> {
    pub(super) service: &'a Service,
    connector: &'a Connector,
    topic: String,
    /// The agent in the status line.
    agent_name: &'static str,
    /// Names in the connector's texts, and what the person reads instead.
    name_replacements: &'static [(&'static str, &'static str)],
    pub(super) screen: Screen,
    /// On a terminal that can have one.
    pub(super) editor: Option<LineEditor>,
    pub(super) conversation: Conversation,
    /// Lines of a script, which are sent one after the other. The lines of a person are sent at once.
    pub(super) queued_lines: VecDeque<String>,
    /// Lines that were pasted without a mark at their end; Enter sends them as one message.
    pub(super) pasted: Vec<String>,
    /// Ctrl-C was pressed at the prompt; the next one ends the chat.
    pub(super) is_quit_warned: bool,
    pub(super) busy_since: Instant,
    pub(super) reply_end: Option<Instant>,
    pub(super) stop_end: Option<Instant>,
    next_reminder: Option<Instant>,
    pub(super) has_input_ended: bool,
    /// Ids of the permission requests that nobody has answered yet.
    pub(super) open_requests: Vec<String>,
    /// Markdown links to files that go with the next message.
    pub(super) attached_links: String,
    /// The agent has sent files.
    pub(super) has_received_files: bool,
    pub(super) is_single_answer: bool,
}

impl<'a> Chat<'a> {
    /// A chat in a topic. `agent_name` stands in the status line; `name_replacements` replace names in the connector's
    /// texts.
    pub fn new(
        service: &'a Service,
        connector: &'a Connector,
        topic: String,
        agent_name: &'static str,
        name_replacements: &'static [(&'static str, &'static str)],
        screen: Screen,
    ) -> Chat<'a> {
        Chat {
            service,
            connector,
            topic,
            agent_name,
            name_replacements,
            screen,
            editor: None,
            conversation: Conversation::default(),
            queued_lines: VecDeque::new(),
            pasted: Vec::new(),
            is_quit_warned: false,
            busy_since: Instant::now(),
            reply_end: None,
            stop_end: None,
            next_reminder: None,
            has_input_ended: false,
            open_requests: Vec::new(),
            attached_links: String::new(),
            has_received_files: false,
            is_single_answer: false,
        }
    }

    /// Runs until the person quits, or until the one `prompt` is answered.
    pub fn run(
        &mut self,
        prompt: Option<&str>,
        seen: &Receiver<Observed>,
        signals: &Receiver<Signal>,
    ) -> Result<()> {
        self.is_single_answer = prompt.is_some();
        let mut input = match prompt {
            Some(prompt) => {
                self.send(prompt);
                self.next_reminder =
                    (!self.screen.has_live_status()).then(|| Instant::now() + FIRST_REMINDER);
                never()
            }
            None => self.start_input()?,
        };
        loop {
            let step = select! {
                recv(seen) -> event => match event {
                    Ok(observed) => self.handle_observed(observed.event),
                    Err(_) => ChatStep::Quit(Err(Error::Failed("the local service has ended".into()))),
                },
                recv(input) -> event => {
                    let event = event.unwrap_or(PromptEvent::EndOfInput);
                    if event == PromptEvent::EndOfInput {
                        // A closed channel is always ready.
                        input = never();
                    }
                    self.handle_input(event, &input)
                }
                recv(signals) -> signal => self.handle_signal(signal.ok()),
                recv(self.connector.gone) -> _ => {
                    self.screen.end_turn();
                    ChatStep::Quit(Err(self.connector.failure("ended unexpectedly")))
                }
                default(self.time_to_next_deadline()) => self.handle_deadlines(),
            };
            if let ChatStep::Quit(outcome) = step {
                return outcome;
            }
        }
    }

    /// Shows the first prompt, if the input is a terminal.
    fn start_input(&mut self) -> Result<Receiver<PromptEvent>> {
        self.editor = self.screen.start_editor()?;
        match &self.editor {
            Some(editor) => Ok(editor.events.clone()),
            None => {
                self.screen.ask_for_line();
                read_lines()
            }
        }
    }

    /// Time to the next moment at which something is due without an event; endless while idle.
    fn time_to_next_deadline(&self) -> Duration {
        let ticks = self.conversation.is_busy() && self.screen.has_live_status();
        let next = self.reply_end.into_iter().chain(self.stop_end).chain(self.next_reminder).min();
        let wait = next.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        if ticks { wait.min(TICK) } else { wait }
    }

    fn handle_deadlines(&mut self) -> ChatStep {
        let now = Instant::now();
        if self.reply_end.is_some_and(|at| at <= now) {
            return self.end_turn();
        }
        if self.is_single_answer && self.stop_end.is_some_and(|at| at <= now) {
            return ChatStep::Quit(Err(Error::Silent(INTERRUPTED)));
        }
        self.stop_end = self.stop_end.filter(|at| *at > now);
        if self.next_reminder.is_some_and(|at| at <= now) {
            self.next_reminder = Some(now + NEXT_REMINDER);
            self.screen.remind(self.busy_since.elapsed());
        }
        self.screen.update_elapsed(self.busy_since.elapsed());
        ChatStep::Continue
    }

    pub(super) fn send(&mut self, message: &str) {
        let message_id = self.service.post_message(&self.topic, MessageAuthor::Human, message, Value::Null);
        if self.conversation.is_busy() && is_for_running_turn(message) {
            // Answered by the turn that it stops, or is added to.
            return;
        }
        if !self.conversation.is_busy() {
            self.busy_since = Instant::now();
        }
        self.conversation.add_sent(message_id);
    }

    pub(super) fn handle_observed(&mut self, seen: ServiceEvent) -> ChatStep {
        match seen {
            ServiceEvent::Message(Value::Object(row))
                if row.get("topic_id").and_then(Value::as_str) == Some(&self.topic) =>
            {
                self.handle_message(&row)
            }
            ServiceEvent::Typing(body) if body["topic_id"] == self.topic.as_str() => {
                if body["state"] == "stop" {
                    return self.end_turn();
                }
                self.conversation.typing_started();
                if self.conversation.is_busy() && !self.conversation.is_reply_open() {
                    let status = self.status(&body);
                    if status.kind == "error" && status.text.contains(NOT_ACCEPTED) {
                        self.conversation.remove_refused();
                        self.screen.note(&status.text);
                        return ChatStep::Continue;
                    }
                    self.screen.show_status(status, self.busy_since.elapsed());
                }
                ChatStep::Continue
            }
            _ => ChatStep::Continue,
        }
    }

    fn handle_message(&mut self, row: &serde_json::Map<String, Value>) -> ChatStep {
        let Some(post) = self.conversation.add_message(AGENT_ID, row) else { return ChatStep::Continue };
        self.reply_end = self.conversation.is_reply_open().then(|| Instant::now() + REPLY_END_TIME);
        let text = if post.outcome == ReplyOutcome::Done {
            post.text
        } else {
            self.with_person_facing_names(&post.text)
        };
        let is_file_of_single_answer = self.is_single_answer && self.is_file_card(&text);
        let is_failure = matches!(post.outcome, ReplyOutcome::Failed | ReplyOutcome::Cancelled);
        if self.is_single_answer && is_failure && !is_file_of_single_answer {
            self.screen.note(&text);
        } else if !is_file_of_single_answer && let Err(e) = self.screen.post(&text) {
            return ChatStep::Quit(write_outcome(e));
        }
        self.show_file_locations(&text);
        if post.outcome == ReplyOutcome::PermissionRequest {
            self.screen.ask_for_line();
            self.open_requests.push(permission_request_id(&text));
            // a script has written its answer before
            if self.queued_lines.front().is_some_and(|line| is_permission_answer(line))
                && let Some(line) = self.queued_lines.pop_front()
            {
                return self.handle_line(&line);
            }
            self.deny_unanswerable_requests();
        }
        if self.conversation.is_busy() { ChatStep::Continue } else { self.rest() }
    }

    /// Denies permission requests after the end of the input, when nobody can answer them.
    pub(super) fn deny_unanswerable_requests(&mut self) {
        if self.has_input_ended && !self.screen.is_interactive() && self.conversation.is_busy() {
            for id in std::mem::take(&mut self.open_requests) {
                self.screen.note(strings::DENIED_AT_END_OF_INPUT);
                self.send(&format!("/deny {id}"));
            }
        }
    }

    fn status(&self, body: &Value) -> AgentStatus {
        let field = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let agent = match body["model"].as_str() {
            Some(model) => format!("{} ({model})", self.agent_name),
            None => self.agent_name.to_owned(),
        };
        let text = self.with_person_facing_names(&field("status_text"));
        AgentStatus { agent, kind: field("status_kind"), text }
    }

    fn with_person_facing_names(&self, text: &str) -> String {
        let chinese = is_chinese(text);
        let names =
            self.name_replacements.iter().filter(|(_, replacement)| is_chinese(replacement) == chinese);
        names.fold(text.to_owned(), |text, (name, replacement)| replace_name(&text, name, replacement))
    }

    fn end_turn(&mut self) -> ChatStep {
        self.reply_end = None;
        let Some(outcome) = self.conversation.typing_stopped() else { return ChatStep::Continue };
        if self.is_single_answer {
            self.screen.end_turn();
            return ChatStep::Quit(match outcome {
                ReplyOutcome::Done | ReplyOutcome::Notice | ReplyOutcome::PermissionRequest => Ok(()),
                ReplyOutcome::Failed => Err(Error::Silent(1)),
                ReplyOutcome::Cancelled => Err(Error::Silent(INTERRUPTED)),
            });
        }
        if self.conversation.is_busy() { ChatStep::Continue } else { self.rest() }
    }

    /// No answer is awaited: sends the next queued line, else asks for one.
    pub(super) fn rest(&mut self) -> ChatStep {
        self.reply_end = None;
        self.stop_end = None;
        self.open_requests.clear();
        self.screen.end_turn();
        if let Some(line) = self.queued_lines.pop_front() {
            return self.handle_line(&line);
        }
        if self.is_single_answer || self.has_input_ended {
            return ChatStep::Quit(Ok(()));
        }
        self.screen.ask_for_line();
        ChatStep::Continue
    }

    pub(super) fn rest_unless_busy(&mut self) -> ChatStep {
        if self.conversation.is_busy() { ChatStep::Continue } else { self.rest() }
    }
}

/// What an answer that could not be written means: it is lost, unless its reader has seen enough, as in `| head`.
pub(super) fn write_outcome(e: io::Error) -> Result<()> {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Error::Failed(format!("the answer could not be written to stdout: {e}")))
}
