//! Chat commands, carried out by the hub. What they look like is the table in `session/command.rs`, what is answered
//! the one in `session/messages.rs`. Here is who does what; the longer ones have files of their own.

mod choose;
mod sessions;
mod status;
mod usage;

use crate::config::Busy;
use crate::daemon::hub::Hub;
use crate::daemon::inbound::intake::status;
use crate::session::chat_command;
use crate::session::chat_command::Command;
use crate::session::messages::Say;
use crate::session::task;
use crate::store::outbox::ReplyKind;
use crate::store::state::Record;
use crate::wire::intake::{Job, Scope};
use crate::wire::outgoing::StatusKind;

impl Hub {
    /// Carries a command out.
    pub(crate) fn command(&mut self, job: Job, command: Command) {
        let lang = self.tongues.of(&job.topic_id);
        let text = match command {
            Command::Stop => return self.stop_topic(&job),
            Command::New | Command::Switch(_) if !self.sessions.has_room(&job.scope) => {
                let adapter = self.shared.config.adapter.clone();
                return self.refuse(&job, &adapter);
            }
            Command::New => {
                self.record_accepted(&job, false, None);
                return self.sessions.enqueue_change(job, None, Say::Fresh.to(lang, &[]));
            }
            Command::Switch(which) => match self.switch_to(&job, &which, lang) {
                Ok((key, row, text)) => {
                    self.record_accepted(&job, false, None);
                    return self.sessions.enqueue_change(job, Some((key, row)), text);
                }
                Err(text) => text,
            },
            Command::Steer(text) if text.is_empty() => Say::SteerHow.to(lang, &[]),
            Command::Steer(text) => return self.accept_as(with_words(job, text), Busy::Steer, true),
            Command::Decide { allow, id, words } => {
                return self.decide_in_chat(&job, allow, id.as_deref(), &words);
            }
            Command::Compact(words) => {
                let mut job = job;
                job.instruction = format!("/compact {words}").trim_end().to_owned();
                job.forwarded_command = true;
                return self.accept_as(job, Busy::Queue, false);
            }
            Command::Help => chat_command::help_text(lang),
            Command::Status => self.status_text(&job, lang),
            Command::Model { model, effort } => self.choose_model(&job, model, effort, lang),
            Command::Mode(name) => self.choose_mode(&job, name, lang),
            Command::Adapter(name) => self.choose_adapter(&job, name, lang),
            Command::Queue => self.queue_text(&job, lang),
            Command::Sessions => self.sessions_text(&job, lang),
            Command::Usage => self.usage_text(&job.scope, lang),
            Command::Voice(on) => self.choose_voice(&job, on, lang),
            Command::Upgrade => Say::Upgrade.to(lang, &[env!("CARGO_PKG_VERSION")]),
        };
        self.notice(&job, &text, ReplyKind::Notice);
    }

    fn stop_topic(&mut self, job: &Job) {
        let lang = self.tongues.of(&job.topic_id);
        if self.sessions.stop(&job.scope) {
            // the stopped turn says so itself, once nothing of it is left running
            self.store.record(Record::Seen { key: job.key.clone() });
            let adapter = self.shared.config.adapter.clone();
            let text = Say::Stopping.to(lang, &[]);
            return self.show_now(&job.topic_id, &status(&text, StatusKind::Running, &adapter));
        }
        let is_run = self.is_task_parked(&job.scope);
        let text = match self.drop_parked(&job.scope) {
            0 => Say::NothingRuns.to(lang, &[]),
            n => Say::KeptDropped.to(lang, &[&n.to_string()]),
        };
        let after = match &job.scope {
            // a run that was put off will not come: its task is told
            Scope::Task(task_id) if is_run => Some(task::interrupted(task_id, &text)),
            _ => None,
        };
        self.notice_and(job, &text, ReplyKind::Notice, after);
    }
}

/// The message without the word of the command; what else it holds (quotes, files) stays.
fn with_words(mut job: Job, words: String) -> Job {
    job.text = job.text.replacen(&job.instruction, &words, 1);
    job.instruction = words;
    job
}
