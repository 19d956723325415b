//! Chat commands, carried out by the hub. What they look like is the table in `session/command.rs`.

use crate::daemon::hub::Hub;
use crate::daemon::intake::status;
use crate::session::command::{self, Command};
use crate::session::model;
use crate::session::route;
use crate::store::outbox::ReplyKind;
use crate::store::state::{Choice, Record};
use crate::sys::time;
use crate::wire::intake::Job;
use crate::wire::outgoing::StatusKind;

impl Hub {
    /// Carries a command out.
    pub(super) fn command(&mut self, job: Job, command: Command) {
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
