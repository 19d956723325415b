//! The hub's handling of one message: seen before, for us, a chat command, or a turn to accept.

use crate::daemon::hub::Hub;
use crate::daemon::live;
use crate::session::command::{self, Command};
use crate::session::model;
use crate::session::route::{self, Defaults, Route};
use crate::store::outbox::ReplyKind;
use crate::store::state::{Choice, OpenTurn, Record};
use crate::sys::time;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::intake::{self, Job, Verdict};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::outgoing::{self, Publish, Status, StatusKind};
use crate::wire::reply::{self, TaskStatusLine};
use std::time::Instant;

impl Hub {
    /// One message, pushed or polled. It may have to wait until its topic has been caught up with.
    pub(super) fn on_message(&mut self, mut message: Message) {
        if message.topic_kind == TopicKind::Unknown
            && let Some(kind) = self.kinds.get(&message.topic_id)
        {
            message.topic_kind = *kind;
        }
        if message.sender_id == self.me.agent_id {
            self.take(&message);
        } else if let Some(message) = self.catch_up.pass(message) {
            self.take(&message);
        }
    }

    /// One message whose turn it is.
    pub(super) fn take(&mut self, message: &Message) {
        if message.sender_id == self.me.agent_id {
            if let Some(client_id) = outgoing::client_id(message) {
                let action = self.delivery.echoed(&message.topic_id, client_id);
                self.act(action);
            }
            return;
        }
        let key = message.dedupe_key();
        if let Err(why) = self.consider(message, &key) {
            log::debug!(target: "hub", "ignored message {key}: {why}");
        }
    }

    fn consider(&mut self, message: &Message, key: &str) -> Result<(), &'static str> {
        if self.store.state().has_seen(key) {
            return Err("seen before");
        }
        let job = match intake::intake(message, &self.me) {
            Verdict::Run(job) => *job,
            Verdict::Ignore(why) => return Err(why),
        };
        if self.drain.is_some() {
            return Err("shutting down; it will be fetched after the restart");
        }
        if job.sender_kind == SenderKind::Agent {
            if let Some(why) = self.pingpong.agent(&job.topic_id, Instant::now()) {
                self.store.record(Record::Seen { key: job.key });
                return Err(why);
            }
        } else {
            self.pingpong.human(&job.topic_id);
        }
        self.care.last = Some((Instant::now(), job.topic_id.clone()));
        match command::parse(&job.instruction) {
            Some(command) => self.command(job, command),
            None => self.accept(job),
        }
        Ok(())
    }

    /// Who answers a message, by what it asks for itself and what was chosen in its topic.
    fn route(&self, job: &mut Job) -> Result<Route, String> {
        let config = &self.shared.config;
        // a choice made in the topic counts like a wish of each of its messages, a message's own wish wins
        let choice = self.store.state().choices.get(&job.scope.to_string()).cloned().unwrap_or_default();
        let asked = &mut job.model;
        asked.model = asked.model.take().or(choice.model);
        asked.effort = asked.effort.take().or(choice.effort);
        let defaults = Defaults {
            adapter: &config.adapter,
            enabled: &config.adapters,
            model: config.model.as_deref(),
            effort: config.effort.as_deref(),
            map: &config.provider_map,
        };
        route::route(job, &defaults)
    }

    pub(super) fn accept(&mut self, mut job: Job) {
        if self.care.again {
            return self.keep_for_later(job);
        }
        let route = match self.route(&mut job) {
            Ok(route) => route,
            Err(why) => return self.notice(&job, &format!("⚠️ {why}"), ReplyKind::Failed),
        };
        log::debug!(target: "hub", "{}: {}", job.scope, route.words());
        if !self.sessions.has_room(&job.scope) {
            return self.refuse(&job, &route.adapter);
        }
        let ahead = self.sessions.turns(&job.scope).count();
        let (kind, text) = match ahead {
            _ if self.delivery.is_full() => {
                (StatusKind::Queued, "waiting until the service takes earlier replies".to_owned())
            }
            0 if self.sessions.is_full() => (StatusKind::Queued, live::waits_for_a_place(&route).text),
            0 => (StatusKind::Running, "starting".to_owned()),
            1 => (StatusKind::Queued, "waiting for 1 earlier message".to_owned()),
            n => (StatusKind::Queued, format!("waiting for {n} earlier messages")),
        };
        let shown = Status { model: route.model.clone(), ..status(&text, kind, &route.adapter) };
        self.record_accepted(&job, kind == StatusKind::Running);
        if kind == StatusKind::Running {
            self.show(&job.topic_id.clone(), shown);
        } else {
            self.show_now(&job.topic_id, &shown);
        }
        self.sessions.enqueue(job, route);
    }

    /// The mailbox is full. A status, because the UIs take any post for the answer of the running turn.
    fn refuse(&mut self, job: &Job, adapter: &str) {
        // who is told to send it again must not have it run twice when the topic is read after a reconnect
        self.store.record(Record::Seen { key: job.key.clone() });
        let text = "this topic's queue is full; the message was not taken, send it again later";
        self.show_now(&job.topic_id, &status(text, StatusKind::Error, adapter));
    }

    fn record_accepted(&mut self, job: &Job, started: bool) {
        let turn = OpenTurn {
            topic_id: job.topic_id.clone(),
            reply_to: job.message_id.clone(),
            at: time::now_ms(),
            started,
        };
        self.store.record(Record::Accepted { key: job.key.clone(), turn });
        self.commit_now = true;
    }

    fn command(&mut self, job: Job, command: Command) {
        match command {
            Command::Help => self.notice(&job, &command::help_text(), ReplyKind::Notice),
            Command::Status => {
                let text = self.status_text(&job);
                self.notice(&job, &text, ReplyKind::Notice);
            }
            Command::Stop => {
                if self.sessions.stop(&job.scope) {
                    // the stopped turn says so itself, once nothing of it is left running
                    self.store.record(Record::Seen { key: job.key.clone() });
                    let adapter = self.shared.config.adapter.clone();
                    self.show_now(&job.topic_id, &status("stopping", StatusKind::Running, &adapter));
                } else {
                    let text = match self.drop_parked(&job.scope) {
                        0 => "Nothing is running in this topic.",
                        1 => "⏹ The message that was kept until the usage limit resets is dropped.",
                        _ => "⏹ The messages that were kept until the usage limit resets are dropped.",
                    };
                    self.notice(&job, text, ReplyKind::Notice);
                }
            }
            Command::New if !self.sessions.has_room(&job.scope) => {
                let adapter = self.shared.config.adapter.clone();
                self.refuse(&job, &adapter);
            }
            Command::New => {
                self.record_accepted(&job, false);
                self.sessions.enqueue_fresh(job);
            }
            Command::Model { model, effort } => self.choose(&job, model, effort),
        }
    }

    fn choose(&mut self, job: &Job, model: Option<String>, effort: Option<String>) {
        let scope = job.scope.to_string();
        let text = match model {
            None => {
                let choice = self.store.state().choices.get(&scope).cloned().unwrap_or_default();
                let model = choice.model.or_else(|| self.shared.config.model.clone());
                let effort = choice.effort.or_else(|| self.shared.config.effort.clone());
                format!(
                    "Model: {}, effort: {}. `/model ID [EFFORT]` changes it for this topic, `/model default` goes back.",
                    model.as_deref().unwrap_or("the agent's own default"),
                    effort.as_deref().unwrap_or("the agent's own default"),
                )
            }
            Some(model) if model == "default" => {
                self.store.record(Record::Choose { scope, choice: Choice::default() });
                "This topic uses the default model again.".to_owned()
            }
            Some(model) if let Err(why) = model::check_model(&model) => format!("⚠️ {why}"),
            Some(model) => {
                let choice = Choice { model: Some(model.clone()), effort: effort.clone() };
                self.store.record(Record::Choose { scope, choice });
                let effort = effort.map(|e| format!(" with effort {e}")).unwrap_or_default();
                format!("This topic uses {model}{effort} from the next message on.")
            }
        };
        self.notice(job, &text, ReplyKind::Notice);
    }

    /// The connector's own visible answer. Through the outbox like any reply.
    fn notice(&mut self, job: &Job, text: &str, kind: ReplyKind) {
        self.store.record(Record::Seen { key: job.key.clone() });
        if self.delivery.is_full() {
            // shown, not kept: the outbox has no room for small talk
            let adapter = self.shared.config.adapter.clone();
            return self.show_now(&job.topic_id, &status(text, StatusKind::Error, &adapter));
        }
        let parts = reply::chunk(text, CHUNK_CHARS);
        let reply_to = job.message_id.as_deref();
        let (entry, _) = self.shared.outbox.keep(&job.key, &job.topic_id, reply_to, parts, kind);
        self.delivery.add(entry, false);
    }

    fn status_text(&self, job: &Job) -> String {
        let config = &self.shared.config;
        let mut lines = vec![format!("**wtt-connect {}** on this host", env!("CARGO_PKG_VERSION"))];
        let enabled = config.adapters.join(", ");
        match self.route(&mut job.clone()) {
            Ok(route) => {
                lines.push(format!("- adapter: {} ({}; enabled: {enabled})", route.adapter, route.why));
                let model = route.model.as_deref().unwrap_or("the agent's own default");
                let note = route.note.map(|note| format!("; {note}")).unwrap_or_default();
                lines.push(format!("- model: {model}{note}"));
            }
            Err(why) => lines.push(format!("- adapter: ⚠️ {why}")),
        }
        lines.push(format!("- mode: {}", config.mode.name()));
        lines.push(format!("- workdir: `{}`", config.workdir.display()));
        if let Some(since) = self.link.up_since {
            lines.push(format!("- connected for {}", seconds(since.elapsed().as_secs())));
        }
        let turns: Vec<_> = self.sessions.turns(&job.scope).collect();
        match turns.iter().find_map(|t| t.began.map(|began| (t, began))) {
            Some((turn, began)) => {
                let word = if turn.stopping { "stopping" } else { "running" };
                let for_ = seconds(began.elapsed().as_secs());
                lines.push(format!(
                    "- this topic: {} ({}) {word} for {for_}, {} waiting",
                    turn.adapter,
                    turn.why,
                    turns.len() - 1
                ));
            }
            None => lines.push("- this topic: idle".to_owned()),
        }
        let elsewhere = self.sessions.count() - turns.len();
        lines
            .push(format!("- elsewhere: {elsewhere} turn(s); replies on their way: {}", self.delivery.len()));
        for (key, row) in self.store.state().sessions_of(&route::scope_key(&job.scope)) {
            let ids: Vec<String> =
                row.ids.iter().map(|(k, v)| format!("{k} {}", v.as_str().unwrap_or("?"))).collect();
            lines.push(format!("- session `{key}`: {}", ids.join(", ")));
        }
        let here = job.scope.to_string();
        for (_, parked) in self.store.state().parked.iter().filter(|(_, parked)| parked.scope == here) {
            lines.push(format!(
                "- kept until the usage limit resets: a message, until {}",
                time::rfc3339(parked.until)
            ));
        }
        lines.extend(self.store.notes().iter().map(|note| format!("- note: {note}")));
        lines.join("\n")
    }
}

fn seconds(secs: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(secs)).to_string()
}

fn status(text: &str, kind: StatusKind, adapter: &str) -> Status {
    Status { text: text.to_owned(), kind, adapter: adapter.to_owned(), model: None }
}

/// A `[TASK_STATUS]` line as a message that every UI hides from the feed (protocol 9.3).
pub(super) fn progress_line(request_id: &str, topic: &str, status: &Status, agent_id: &str) -> String {
    let kind = status.kind.as_str();
    let line = reply::task_status_line(&TaskStatusLine {
        time: &time::rfc3339(time::now_ms()),
        status: "doing",
        action: &format!("{kind}:{}", status.text),
        task_id: None,
        topic_id: topic,
        agent_id,
        kind,
    });
    outgoing::publish(&Publish {
        request_id,
        topic_id: topic,
        content: &line,
        semantic_type: "TASK_PROGRESS",
        reply_to: None,
        client_id: None,
        outcome: None,
    })
}
