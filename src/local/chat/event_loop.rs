//! The chat itself: one loop over what the service sees, what is typed, signals and time.

use super::connector::{AGENT_ID, Connector};
use super::conversation::{Outcome, Talk};
use super::help::help;
use super::input::{is_answer, is_for_the_running_turn, question_id, read_lines};
use super::screen::{Screen, Status};
use super::strings::{TOO_LONG, is_chinese, renamed};
use super::{INTERRUPTED, killed_by};
use crate::error::{Error, Result};
use crate::local::service::{Observed, Seen, Service, Speaker};
use crate::sys::signal::Signal;
use crossbeam_channel::{Receiver, never, select};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// The elapsed time is shown in seconds.
const TICK: Duration = Duration::from_secs(1);
/// A reply whose end is not announced (the connection broke in between) counts as complete after this.
const ENDING_TIME: Duration = Duration::from_secs(3);
/// After `/stop` the connector needs up to 10 s to be sure that nothing is left running.
const STOP_TIME: Duration = Duration::from_secs(15);

/// Where no status line is shown, the one who waits for the only answer hears what is waited for after this,
const QUIET: Duration = Duration::from_secs(4);
/// and so often afterwards, if it has changed.
const STILL: Duration = Duration::from_secs(20);

/// In the status by which the connector refuses a message, because too many wait.
const NOT_TAKEN: &str = "was not taken";

/// Lines of a paste follow each other at once; nobody types that fast.
const PASTE_GAP: Duration = Duration::from_millis(50);
/// Lines of a paste; more is not meant for a prompt.
const PASTE_MAX: usize = 2000;
/// The terminal keeps so many bytes of a line and drops the rest (n_tty(4), `MAX_CANON` and more).
const TERMINAL_LINE: usize = 4095;
/// What to do after an event.
pub(super) enum Next {
    Go,
    Quit(Result<()>),
}

/// One conversation.
pub struct Chat<'a> {
    pub(super) service: &'a Service,
    connector: &'a Connector,
    topic: String,
    name: &'static str,
    /// Words of the connector, and what people read instead.
    names: &'static [(&'static str, &'static str)],
    pub(super) screen: Screen,
    talk: Talk,
    /// Lines of a script: sent one after the other. A person's lines are sent at once.
    waiting: VecDeque<String>,
    /// Lines that came at once from a terminal; Enter sends them as one message.
    pasted: Vec<String>,
    /// Ctrl-C was pressed at the prompt; the next one ends.
    warned: bool,
    since: Instant,
    ending: Option<Instant>,
    stopping: Option<Instant>,
    remind: Option<Instant>,
    input_over: bool,
    /// What the agent has asked and nobody has answered yet, by the ids of the questions.
    asked: Vec<String>,
    /// Files that go with the next message.
    pub(super) attached: String,
    /// Files came.
    pub(super) sent_files: bool,
    pub(super) once: bool,
}

impl<'a> Chat<'a> {
    /// A conversation in a topic. `name` stands in the status line; `names` replaces words of the connector.
    pub fn new(
        service: &'a Service,
        connector: &'a Connector,
        topic: String,
        name: &'static str,
        names: &'static [(&'static str, &'static str)],
        screen: Screen,
    ) -> Chat<'a> {
        Chat {
            service,
            connector,
            topic,
            name,
            names,
            screen,
            talk: Talk::default(),
            waiting: VecDeque::new(),
            pasted: Vec::new(),
            warned: false,
            since: Instant::now(),
            ending: None,
            stopping: None,
            remind: None,
            input_over: false,
            asked: Vec::new(),
            attached: String::new(),
            sent_files: false,
            once: false,
        }
    }

    /// Until the person has had enough, or until the one `prompt` is answered.
    pub fn run(
        &mut self,
        prompt: Option<&str>,
        seen: &Receiver<Observed>,
        signals: &Receiver<Signal>,
    ) -> Result<()> {
        let once = prompt.is_some();
        self.once = once;
        let mut lines = match prompt {
            Some(prompt) => {
                self.send(prompt);
                self.remind = (!self.screen.is_live()).then(|| Instant::now() + QUIET);
                never()
            }
            None => {
                self.screen.prompt();
                read_lines()?
            }
        };
        loop {
            let next = select! {
                recv(seen) -> event => match event {
                    Ok(observed) => self.observed(observed.seen, once),
                    Err(_) => Next::Quit(Err(Error::Failed("the local service has ended".into()))),
                },
                recv(lines) -> line => {
                    if line.is_err() {
                        // A closed channel is always ready.
                        lines = never();
                    }
                    match line {
                        Ok(line) if self.screen.interactive => self.typed(line, &lines),
                        line => self.line(line.ok()),
                    }
                }
                recv(signals) -> signal => self.signal(signal.ok(), once),
                recv(self.connector.gone) -> _ => {
                    self.screen.idle();
                    Next::Quit(Err(self.connector.trouble("ended unexpectedly")))
                }
                default(self.timer()) => self.time(once),
            };
            if let Next::Quit(outcome) = next {
                return outcome;
            }
        }
    }

    /// The next moment at which something is due without an event; never while idle.
    fn timer(&self) -> Duration {
        let tick = self.talk.is_busy() && self.screen.is_live();
        let due = self.ending.into_iter().chain(self.stopping).chain(self.remind).min();
        let wait = due.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        if tick { wait.min(TICK) } else { wait }
    }

    fn time(&mut self, once: bool) -> Next {
        let now = Instant::now();
        if self.ending.is_some_and(|at| at <= now) {
            return self.turn_over(once);
        }
        if once && self.stopping.is_some_and(|at| at <= now) {
            return Next::Quit(Err(Error::Silent(INTERRUPTED)));
        }
        self.stopping = self.stopping.filter(|at| *at > now);
        if self.remind.is_some_and(|at| at <= now) {
            self.remind = Some(now + STILL);
            self.screen.remind(self.since.elapsed());
        }
        self.screen.tick(self.since.elapsed());
        Next::Go
    }

    fn send(&mut self, words: &str) {
        let message_id = self.service.say(&self.topic, Speaker::Human, words, Value::Null);
        if self.talk.is_busy() && is_for_the_running_turn(words) {
            // Answered by the turn that it stops, or is added to.
            return;
        }
        if !self.talk.is_busy() {
            self.since = Instant::now();
        }
        self.talk.sent(message_id);
    }

    pub(super) fn observed(&mut self, seen: Seen, once: bool) -> Next {
        match seen {
            Seen::Message(Value::Object(row))
                if row.get("topic_id").and_then(Value::as_str) == Some(&self.topic) =>
            {
                let Some(post) = self.talk.message(AGENT_ID, &row) else { return Next::Go };
                self.ending = self.talk.is_ending().then(|| Instant::now() + ENDING_TIME);
                let text =
                    if post.outcome == Outcome::Done { post.text } else { self.rightly_named(&post.text) };
                let told = once && self.is_file(&text);
                if told || (once && matches!(post.outcome, Outcome::Failed | Outcome::Cancelled)) {
                    if !told {
                        self.screen.note(&text);
                    }
                } else if let Err(e) = self.screen.post(&text) {
                    return Next::Quit(unwritten(e));
                }
                self.tell_where(&text, once);
                if post.outcome == Outcome::Question {
                    self.screen.prompt();
                    self.asked.push(question_id(&text));
                    // a script has written its answer before
                    if self.waiting.front().is_some_and(|line| is_answer(line))
                        && let Some(line) = self.waiting.pop_front()
                    {
                        return self.line(Some(line));
                    }
                    self.refuse_unheard();
                }
                if self.talk.is_busy() { Next::Go } else { self.rest(once) }
            }
            Seen::Typing(body) if body["topic_id"] == self.topic.as_str() => {
                if body["state"] == "stop" {
                    return self.turn_over(once);
                }
                self.talk.started_typing();
                if self.talk.is_busy() && !self.talk.is_ending() {
                    let status = self.status(&body);
                    if status.kind == "error" && status.text.contains(NOT_TAKEN) {
                        self.talk.refused();
                        self.screen.note(&status.text);
                        return Next::Go;
                    }
                    self.screen.status(status, self.since.elapsed());
                }
                Next::Go
            }
            _ => Next::Go,
        }
    }

    /// Nobody is left who could answer what the agent asks.
    fn refuse_unheard(&mut self) {
        if self.input_over && !self.screen.interactive && self.talk.is_busy() {
            for id in std::mem::take(&mut self.asked) {
                self.screen.note("The input is at its end, so nobody can answer: denied.");
                self.send(&format!("/deny {id}"));
            }
        }
    }

    fn status(&self, body: &Value) -> Status {
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let who = match body["model"].as_str() {
            Some(model) => format!("{} ({model})", self.name),
            None => self.name.to_owned(),
        };
        Status { who, kind: word("status_kind"), text: self.rightly_named(&word("status_text")) }
    }

    fn rightly_named(&self, words: &str) -> String {
        let chinese = is_chinese(words);
        let names = self.names.iter().filter(|(_, right)| is_chinese(right) == chinese);
        names.fold(words.to_owned(), |words, (wrong, right)| renamed(&words, wrong, right))
    }

    fn turn_over(&mut self, once: bool) -> Next {
        self.ending = None;
        let Some(outcome) = self.talk.stopped_typing() else { return Next::Go };
        if once {
            self.screen.idle();
            return Next::Quit(match outcome {
                Outcome::Done | Outcome::Notice | Outcome::Question => Ok(()),
                Outcome::Failed => Err(Error::Silent(1)),
                Outcome::Cancelled => Err(Error::Silent(INTERRUPTED)),
            });
        }
        if self.talk.is_busy() { Next::Go } else { self.rest(once) }
    }

    /// Nothing is awaited: on with what waits, else the prompt.
    fn rest(&mut self, once: bool) -> Next {
        self.ending = None;
        self.stopping = None;
        self.asked.clear();
        self.screen.idle();
        if let Some(line) = self.waiting.pop_front() {
            return self.line(Some(line));
        }
        if once || self.input_over {
            return Next::Quit(Ok(()));
        }
        self.screen.prompt();
        Next::Go
    }

    /// A line from a terminal, which passes a paste on as many lines, and cuts long ones without a word.
    fn typed(&mut self, first: String, lines: &Receiver<String>) -> Next {
        self.warned = false;
        let mut all = vec![first];
        while all.len() < PASTE_MAX
            && let Ok(more) = lines.recv_timeout(PASTE_GAP)
        {
            all.push(more);
        }
        if all.iter().any(|line| line.len() >= TERMINAL_LINE) {
            self.pasted.clear();
            self.screen.entered();
            self.screen.note(TOO_LONG);
            return if self.talk.is_busy() { Next::Go } else { self.rest(false) };
        }
        let many = all.len() > 1;
        self.pasted.extend(all);
        if many {
            self.screen.entered();
            let count = self.pasted.len();
            self.screen
                .note(&format!("{count} lines pasted: Enter sends them as one message, Ctrl-C drops them."));
            return if self.talk.is_busy() { Next::Go } else { self.rest(false) };
        }
        let message = std::mem::take(&mut self.pasted).join("\n").trim_end().to_owned();
        self.screen.echo(&message);
        self.line(Some(message))
    }

    /// A line of input; None at its end.
    fn line(&mut self, line: Option<String>) -> Next {
        let Some(line) = line else {
            self.input_over = true;
            self.refuse_unheard();
            return if self.talk.is_busy() && !self.screen.interactive { Next::Go } else { self.quit(None) };
        };
        self.screen.entered();
        let word = line.trim();
        let answers = is_answer(word) && self.asked.pop().is_some();
        if self.talk.is_busy() && !self.screen.interactive && !answers && !is_for_the_running_turn(word) {
            self.waiting.push_back(line);
            return Next::Go;
        }
        match word {
            "" => {}
            "/quit" | "/exit" => return self.quit(None),
            "/help" => self.screen.note(&help()),
            _ if self.attach(word) => {}
            _ if word.starts_with('/') => self.send(&line),
            _ => {
                let files = std::mem::take(&mut self.attached);
                self.send(&format!("{line}{files}"));
            }
        }
        if self.talk.is_busy() { Next::Go } else { self.rest(false) }
    }

    fn signal(&mut self, signal: Option<Signal>, once: bool) -> Next {
        let interrupt = killed_by(signal) == INTERRUPTED;
        if interrupt && !self.pasted.is_empty() {
            self.pasted.clear();
            self.screen.note("The pasted lines are dropped.");
            return if self.talk.is_busy() { Next::Go } else { self.rest(false) };
        }
        if interrupt && !self.talk.is_busy() && self.screen.interactive && !self.warned {
            // The terminal has already thrown away what was typed.
            self.warned = true;
            self.screen.note("Ctrl-C again ends, like /quit.");
            return self.rest(false);
        }
        if interrupt && self.talk.is_busy() && self.stopping.is_none() {
            self.send("/stop");
            self.stopping = Some(Instant::now() + STOP_TIME);
            self.screen.note("Stopping. Ctrl-C again quits.");
            return Next::Go;
        }
        self.quit((once || !interrupt).then(|| killed_by(signal)))
    }

    /// With an exit code, unless that is what the person wanted.
    fn quit(&mut self, code: Option<u8>) -> Next {
        self.screen.idle();
        if self.talk.is_busy() {
            self.screen.note("Ending what runs.");
        }
        Next::Quit(code.map_or(Ok(()), |code| Err(Error::Silent(code))))
    }
}

/// An answer is lost, unless its reader has seen enough, as in `| head`.
pub(super) fn unwritten(e: io::Error) -> Result<()> {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Error::Failed(format!("the answer could not be written to stdout: {e}")))
}
