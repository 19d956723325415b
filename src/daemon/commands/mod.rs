//! Chat commands, as functions over the parts that they need. What they look like is the table in
//! `session/chat_command.rs`, what is answered the one in `session/messages.rs`. Here is who does what; the longer ones have
//! files of their own.

mod choose;
mod sessions;
mod status;
mod usage;

use crate::config::Busy;
use crate::daemon::context::{AcceptedAs, Context};
use crate::daemon::effect::{Effect, Effects, Notice, StartTurn, own_status};
use crate::daemon::outbound::Outbound;
use crate::daemon::permissions::PermissionRequests;
use crate::daemon::scheduler::busy_policy::refuse_full;
use crate::daemon::scheduler::{Scheduler, deferred};
use crate::session::chat_command::{self, Command};
use crate::session::messages::Msg;
use crate::session::task;
use crate::store::outbox::ReplyKind;
use crate::wire::intake::{Job, Scope};
use crate::wire::outgoing::StatusKind;
use std::sync::Arc;

/// The parts that commands look at or change.
#[derive(Debug)]
pub(crate) struct CommandParts<'a> {
    /// Sessions and their turns.
    pub(crate) scheduler: &'a mut Scheduler,
    /// What people are asked.
    pub(crate) permissions: &'a mut PermissionRequests,
    /// What waits to be sent.
    pub(crate) outbound: &'a Outbound,
}

/// Carries a command out.
pub(crate) fn run(cx: &mut Context, parts: &mut CommandParts<'_>, job: Job, command: Command) -> Effects {
    let lang = cx.language_of(&job.topic_id);
    let text = match command {
        Command::Stop => return stop(cx, parts.scheduler, job),
        Command::New | Command::Switch(_) if !parts.scheduler.has_room(&job.scope) => {
            let adapter = cx.config().adapter.clone();
            return refuse_full(cx, &job, &adapter);
        }
        Command::New => {
            cx.record_accepted(&job, AcceptedAs::default());
            parts.scheduler.enqueue_change(job, None, Msg::Fresh.to(lang, &[]));
            return Effects::none();
        }
        Command::Switch(which) => match sessions::switch_to(cx, &job, &which, lang) {
            Ok((key, row, text)) => {
                cx.record_accepted(&job, AcceptedAs::default());
                parts.scheduler.enqueue_change(job, Some((key, row)), text);
                return Effects::none();
            }
            Err(text) => text,
        },
        Command::Steer(text) if text.is_empty() => Msg::SteerHow.to(lang, &[]),
        Command::Steer(text) => return start(with_words(job, text), Busy::Steer, true),
        Command::Compact(words) => return start(with_compact(job, &words), Busy::Queue, false),
        Command::Decide { allow, id, words } => {
            parts.permissions.decide_in_chat(cx, parts.scheduler, &job, allow, id.as_deref(), &words)
        }
        Command::Help => chat_command::help_text(lang),
        Command::Status => {
            status::status_text(cx, parts.scheduler, parts.permissions, parts.outbound, &job, lang)
        }
        Command::Model { model, effort } => choose::choose_model(cx, &job, model, effort, lang),
        Command::Mode(name) => choose::choose_mode(cx, &job, name, lang),
        Command::Adapter(name) => choose::choose_adapter(cx, &job, name, lang),
        Command::Queue => status::queue_text(parts.scheduler, &job, lang),
        Command::Sessions => sessions::sessions_text(cx, &job, lang),
        Command::Usage => usage::usage_text(cx, &job.scope, lang),
        Command::Voice(on) => choose::choose_voice(cx, &job, on, lang),
        Command::Upgrade => Msg::Upgrade.to(lang, &[env!("CARGO_PKG_VERSION")]),
    };
    let mut effects = Effects::none();
    effects.notice(&job, text);
    effects
}

/// `/stop`: ends the running turn of the topic, else drops what is deferred there.
fn stop(cx: &mut Context, scheduler: &mut Scheduler, job: Job) -> Effects {
    let lang = cx.language_of(&job.topic_id);
    let mut effects = Effects::none();
    if scheduler.stop(&job.scope) {
        // the stopped turn says so itself, once nothing of it is left running
        cx.record_seen(&job.key);
        let text = Msg::Stopping.to(lang, &[]);
        effects.show_now(&job.topic_id, own_status(&text, StatusKind::Running, &cx.config().adapter));
        return effects;
    }
    let was_run = deferred::is_task_deferred(cx, &job.scope);
    let text = match deferred::drop_deferred(cx, &job.scope) {
        0 => Msg::NothingRuns.to(lang, &[]),
        n => Msg::KeptDropped.to(lang, &[&n.to_string()]),
    };
    let follow_up = match &job.scope {
        // a run that was deferred will not come: its task gets a note
        Scope::Task(task_id) if was_run => Some(task::interrupted(task_id, &text)),
        _ => None,
    };
    effects.push(Effect::Notice(Box::new(Notice { job, text, kind: ReplyKind::Notice, follow_up })));
    effects
}

fn start(job: Job, busy: Busy, is_requested: bool) -> Effects {
    let mut effects = Effects::none();
    effects.start(StartTurn { job, busy: Some(busy), is_requested, task: Arc::default() });
    effects
}

/// The message without the word of the command; what else it holds (quotes, files) stays.
fn with_words(mut job: Job, words: String) -> Job {
    job.text = job.text.replacen(&job.instruction, &words, 1);
    job.instruction = words;
    job
}

/// The message as the agent's own command.
fn with_compact(mut job: Job, words: &str) -> Job {
    job.instruction = format!("/compact {words}").trim_end().to_owned();
    job.forwarded_command = true;
    job
}
