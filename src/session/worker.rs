//! The worker of one session: takes work from its mailbox and sees each turn through to its one reply.

use crate::agent::adapter::AdapterSpec;
use crate::agent::adapters;
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::permission::PermissionRequest;
use crate::agent::runner;
use crate::agent::runner::{Control, KeepProcess, Runner, RunnerEvent, SteerOutcome, SteeringMessage};
use crate::agent::{AgentEvent, TurnRequest, Usage};
use crate::session::attachments::download;
use crate::session::attachments::download::DownloadedMessage;
use crate::session::event::{AskedPermission, SessionEvent};
use crate::session::messages::{Lang, Msg};
use crate::session::permissions::evaluator;
use crate::session::permissions::evaluator::RequestEvaluator;
use crate::session::progress::filter::ProgressFilter;
use crate::session::progress::formatter;
use crate::session::progress::formatter::Footnotes;
use crate::session::routing;
use crate::session::routing::Route;
use crate::session::shared::Shared;
use crate::session::slash_command;
use crate::session::slash_command::SlashPlan;
use crate::session::speech::synthesize;
use crate::session::task::TaskLink;
use crate::session::turn::{EndedTurn, Turn, TurnEnd, TurnId};
use crate::session::work::{Assignment, SessionChange, Work};
use crate::session::{file_upload, preflight, prompt};
use crate::store::follow_up::FollowUp;
use crate::store::outbox::ReplyKind;
use crate::store::state::SessionRow;
use crate::store::upload::Upload;
use crate::sys::time::now_ms;
use crate::sys::{fault_injection, thread};
use crate::text;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::intake::{Job, Scope};
use crate::wire::outbound_text;
use crate::wire::outgoing::{StatusKind, TypingStatus};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Enough of the first message to know a session by.
const TITLE_CHARS: usize = 60;

pub(super) struct Worker<F: FnMut(SessionEvent)> {
    shared: Arc<Shared>,
    scope: Scope,
    /// Native sessions of this scope. The worker is the only one that changes them while it lives.
    rows: BTreeMap<String, SessionRow>,
    /// Keys of messages that the reply of this turn answers as well.
    also: Vec<String>,
    /// What people have allowed for the session; for the turn that begins.
    grants: Vec<String>,
    tell: F,
    /// Of the turn at hand: its task, its adapter, and what it has used.
    task: Arc<TaskLink>,
    adapter: String,
    used: Option<Usage>,
    lang: Lang,
}

/// What reaches a running turn.
#[derive(Clone, Copy)]
struct TurnChannels<'a> {
    control: &'a Receiver<Control>,
    steers: &'a Receiver<SteeringMessage>,
}

impl<F: FnMut(SessionEvent) + Clone + Send + 'static> Worker<F> {
    pub(super) fn new(
        shared: Arc<Shared>,
        scope: Scope,
        rows: BTreeMap<String, SessionRow>,
        tell: F,
    ) -> Worker<F> {
        let (task, adapter, also, grants) = (Arc::default(), String::new(), Vec::new(), Vec::new());
        Worker { shared, scope, rows, also, grants, tell, task, adapter, used: None, lang: Lang::En }
    }

    pub(super) fn work(&mut self, work: Work) {
        match work {
            Work::Turn(assignment) => self.turn(*assignment),
            Work::Change(change) => self.change(*change),
        }
    }

    fn change(&mut self, change: SessionChange) {
        let SessionChange { job, turn_id, continue_with: go_on, text } = change;
        self.task = Arc::default();
        match go_on {
            None => {
                for key in std::mem::take(&mut self.rows).into_iter().map(|row| row.0) {
                    self.shared.pool.forget(&key);
                    (self.tell)(SessionEvent::SetAside { key });
                }
            }
            Some((key, row)) => {
                self.shared.pool.forget(&key);
                self.rows.insert(key.clone(), row.clone());
                (self.tell)(SessionEvent::Remember { key, row });
            }
        }
        (self.tell)(SessionEvent::Revoke { scope: self.scope.clone() });
        let ended = Turn::queued(job.key.clone(), turn_id).end(TurnEnd::Done);
        self.reply(&job, ended, &text, ReplyKind::Notice);
    }

    fn turn(&mut self, assignment: Assignment) {
        let Assignment { job, route, lang, turn_id, control, steers, also, grants, task } = assignment;
        (self.also, self.task, self.adapter, self.used) = (also, task, route.adapter.clone(), None);
        (self.grants, self.lang) = (grants, lang);
        let mut turn = Turn::queued(job.key.clone(), turn_id);
        if let Ok(request) = control.try_recv() {
            return self.never_begun(&job, lang, turn, request);
        }
        turn.begin();
        (self.tell)(SessionEvent::TurnStarted { scope: self.scope.clone(), turn_id });
        let line = TurnChannels { control: &control, steers: &steers };
        // unwinding ends the processes of the turn: their owners are values of the runner
        let answer = thread::contain_panic(|| self.answer(&job, &route, lang, turn_id, line));
        let (composed, end) = answer.unwrap_or_else(|| self.after_panic(&job, &route, lang));
        let to_speak = (route.speak && composed.kind == ReplyKind::Done).then(|| composed.said.clone());
        self.send(&job, turn.end(end), composed);
        if let Some(text) = to_speak {
            synthesize::synthesize_reply(&self.shared, &job, lang, &text, Box::new(self.tell.clone()));
        }
    }

    /// Runs the agent and composes its reply. Everything that depends on what the agent says happens in here.
    fn answer(
        &mut self,
        job: &Job,
        route: &Route,
        lang: Lang,
        turn_id: TurnId,
        line: TurnChannels<'_>,
    ) -> (ComposedReply, TurnEnd) {
        let began = Instant::now();
        let mut ran = self.run(job, route, lang, turn_id, line);
        // an agent that did and said nothing is asked once more for a task (confirmed, see TASKS in
        // wtt-connect-protocol(7))
        if let TurnEnd::Failed(Reason::SilentExit(0) | Reason::NoOutput) = ran.2
            && self.task.task_id().is_some()
        {
            ran = self.run(job, route, lang, turn_id, line);
        }
        let (text, kind, end) = ran;
        let wanted = kind == ReplyKind::Done && self.shared.config.upload_artifacts;
        let summary = self.task.title().filter(|_| wanted).and_then(|title| {
            file_upload::summary(&self.shared.staging, (job, lang), &title, route, began.elapsed(), &text)
        });
        (self.compose(job, text, kind, summary), end)
    }

    /// The reply of a turn that a panic of ours has ended. A task becomes `blocked` by it.
    fn after_panic(&self, job: &Job, route: &Route, lang: Lang) -> (ComposedReply, TurnEnd) {
        let title = adapters::find(&route.adapter).map_or(route.adapter.as_str(), |adapter| adapter.title);
        let text = format!("⚠️ {}", Msg::InternalPanic.to(lang, &[title]));
        let parts = self.shared.encrypt_parts(job, vec![text.clone()]);
        let composed =
            ComposedReply { said: text.clone(), text, kind: ReplyKind::Failed, parts, uploads: Vec::new() };
        (composed, TurnEnd::Failed(Reason::Internal))
    }

    fn never_begun(&mut self, job: &Job, lang: Lang, turn: Turn, request: Control) {
        if request == Control::Cancel {
            let text = Msg::StoppedEarly.to(lang, &[]);
            self.reply(job, turn.end(TurnEnd::Cancelled), &text, ReplyKind::Cancelled);
        } else {
            let text = formatter::interrupted(lang, false);
            self.reply(job, turn.end(TurnEnd::Interrupted { started: false }), &text, ReplyKind::Interrupted);
        }
    }

    fn run(
        &mut self,
        job: &Job,
        route: &Route,
        lang: Lang,
        turn_id: TurnId,
        TurnChannels { control, steers }: TurnChannels<'_>,
    ) -> (String, ReplyKind, TurnEnd) {
        let shared = self.shared.clone();
        let config = &shared.config;
        let Some(adapter) = adapters::find(&route.adapter) else {
            let text = Msg::NoAdapter.to(lang, &[&route.adapter]);
            return (text, ReplyKind::Failed, TurnEnd::Refused);
        };
        let command = config.commands.get(adapter.name).map_or(&[][..], Vec::as_slice);
        let adapter = match preflight::check_adapter(adapter, command, config, route.mode, &config.adapters) {
            Ok(adapter) => adapter,
            Err((reason, detail)) => {
                let outcome = AgentOutcome::Failed { reason, detail, partial: String::new() };
                return self.conclude(
                    &TurnReport::not_started(outcome),
                    adapter,
                    &Footnotes::default(),
                    lang,
                );
            }
        };
        let title = text::truncate(&text::one_line(&job.instruction), TITLE_CHARS);
        let mut show = ProgressFilter::new(adapter, route, lang);
        let received = download::download_all(&shared, job, lang, control, &mut |text| {
            let status = TypingStatus { text, ..show.last.clone() };
            (self.tell)(SessionEvent::Status { topic_id: job.topic_id.clone(), turn_id, status });
        });
        let Ok(DownloadedMessage { job, images, remark }) = received else {
            let stopped = TurnReport::not_started(AgentOutcome::Cancelled { partial: String::new() });
            return self.conclude(&stopped, adapter, &Footnotes::default(), lang);
        };
        let job = &*job;
        let switched = preflight::switch(&shared, route, control, &mut || {
            let text = Msg::WaitsForSwitch.to(lang, &[]);
            let status = TypingStatus { text, kind: StatusKind::Queued, ..show.last.clone() };
            (self.tell)(SessionEvent::Status { topic_id: job.topic_id.clone(), turn_id, status });
        });
        let pass = match switched {
            Ok(pass) => pass,
            Err(outcome) => {
                return self.conclude(
                    &TurnReport::not_started(outcome),
                    adapter,
                    &Footnotes::default(),
                    lang,
                );
            }
        };
        let session_key = routing::session_key(&self.scope, route);
        let workdir = config.workdir.to_string_lossy().into_owned();
        let row = self.rows.get(&session_key).filter(|row| row.workdir == workdir);
        let resume = row.and_then(|row| row.native_id(adapter.session_key)).map(str::to_owned);
        let usage_before = row.and_then(|row| Usage::from_json(row.usage_total.as_ref()?));
        let place = NativeSessionPlace { key: &session_key, adapter, workdir: &workdir, title: &title };
        let opened_at = row.and_then(|row| row.opened_at);
        let fresh = || match prompt::build(job, &config.agent_id, true) {
            // a command of the CLI: it knows it only when it stands alone
            text if job.forwarded_command => text,
            text => format!("{}\n\n{text}", prompt::files(&job.topic_id, &file_upload::command())),
        };
        let mut request = TurnRequest {
            prompt: resume.as_ref().map_or_else(fresh, |_| prompt::build(job, &config.agent_id, false)),
            fresh_prompt: resume.is_some().then(fresh),
            workdir: config.workdir.clone(),
            model: route.model.clone(),
            effort: route.effort.clone(),
            mode: route.mode,
            resume,
            images,
            transport: preflight::transport(config, adapter),
            is_slash_command: false,
        };
        match slash_command::plan(job, adapter, &request, lang) {
            SlashPlan::Message => {}
            SlashPlan::Answer(text) => return (text, ReplyKind::Notice, TurnEnd::Refused),
            SlashPlan::Command(transport) => {
                request.prompt.clone_from(&job.instruction);
                request.fresh_prompt = None;
                request.transport = transport.map(str::to_owned).or(request.transport);
                request.is_slash_command = true;
            }
        }
        let env = file_upload::environment(config, &job.topic_id, shared.turn(turn_id));
        let court =
            RequestEvaluator::new(config, adapter, job, request.mode, std::mem::take(&mut self.grants));
        request.mode = match evaluator::start_mode(config, adapter, &request) {
            Ok(mode) => mode,
            Err((reason, detail)) => {
                let outcome = AgentOutcome::Failed { reason, detail, partial: String::new() };
                return self.conclude(
                    &TurnReport::not_started(outcome),
                    adapter,
                    &Footnotes::default(),
                    lang,
                );
            }
        };
        let asked = |ask: PermissionRequest, rule: String| {
            let grant = court.grant(&ask);
            let (scope, topic_id) = (job.scope.clone(), job.topic_id.clone());
            Box::new(AskedPermission { scope, topic_id, turn_id, who: adapter.title, ask, rule, grant })
        };
        let runner = Runner {
            spec: adapter,
            command,
            env: &env,
            limits: config.limits,
            owner: &shared.owner,
            control,
            steers,
            usage_before,
            opened_at,
            // What a switcher changes, an agent reads when it starts.
            keep_process: pass.is_none().then_some(KeepProcess { pool: &shared.pool, session: &session_key }),
            policy: &court,
        };
        let mut remarks = Footnotes::default();
        let mut pinned = None;
        let mut result = runner::run(&runner, &request, &mut |progress| {
            if let RunnerEvent::Agent(event) = &progress {
                remarks.note(event);
                match event {
                    AgentEvent::Text(text) => fault_injection::panic_at("turn", text),
                    AgentEvent::Session(id) if pinned.as_ref() != Some(id) => {
                        pinned = Some(id.clone());
                        self.rows.entry(session_key.clone()).or_default().opened_at = Some(now_ms());
                        self.remember(place, id, None);
                    }
                    AgentEvent::Note(note) => log::debug!(target: "session", "{}: {note}", adapter.name),
                    _ => {}
                }
            }
            if let RunnerEvent::Steered { id, outcome: fate } = &progress {
                if *fate != SteerOutcome::TooLate {
                    self.also.push(id.clone());
                }
                let (scope, key, fate) = (self.scope.clone(), id.clone(), *fate);
                return (self.tell)(SessionEvent::Steered { scope, key, fate });
            }
            if let Some(status) = show.status_for(&progress, lang) {
                (self.tell)(SessionEvent::Status { topic_id: job.topic_id.clone(), turn_id, status });
            }
            match progress {
                RunnerEvent::PermissionRequested(ask, rule) => {
                    (self.tell)(SessionEvent::Asked(asked(ask, rule)))
                }
                RunnerEvent::PermissionWithdrawn(id) => (self.tell)(SessionEvent::Withdrawn { turn_id, id }),
                RunnerEvent::PermissionDecided(ask, decision, rule) => {
                    (self.tell)(SessionEvent::Decided { asked: asked(ask, rule), decision });
                }
                RunnerEvent::Agent(_) | RunnerEvent::Heartbeat | RunnerEvent::Steered { .. } => {}
            }
        });
        // most commands do their work without a word
        if request.is_slash_command
            && matches!(result.outcome, AgentOutcome::Failed { reason: Reason::NoOutput, .. })
        {
            let name = job.instruction.split_whitespace().next().unwrap_or_default();
            result.outcome = AgentOutcome::Done(Msg::CommandDone.to(lang, &[name]));
        }
        match (&result.outcome, &result.session) {
            (AgentOutcome::Failed { reason, .. }, _) if reason.session_action() != SessionAction::Keep => {
                self.forget(&session_key)
            }
            (_, Some(id)) => self.remember(place, id, result.usage_total),
            _ => {}
        }
        let (scope, usage) = (self.scope.clone(), result.usage);
        (self.tell)(SessionEvent::Used { scope, adapter: adapter.name, usage });
        self.used = result.usage;
        if let Some(Usage { input, cached, output }) = result.usage {
            log::debug!(target: "session", "{}: {input} tokens in ({cached} cached), {output} out", adapter.name);
        }
        let (text, kind, end) = self.conclude(&result, adapter, &remarks, lang);
        (text + &remark, kind, end)
    }

    fn conclude(
        &self,
        result: &TurnReport,
        adapter: &AdapterSpec,
        remarks: &Footnotes,
        lang: Lang,
    ) -> (String, ReplyKind, TurnEnd) {
        if let AgentOutcome::Failed { reason, detail, .. } = &result.outcome {
            log::warn!(target: "session", "{} failed in {}: {} {detail}", adapter.name, self.scope, reason.word());
        }
        let draining = self.shared.draining.load(Ordering::Relaxed);
        formatter::final_text(result, adapter.title, remarks, lang, draining, now_ms())
    }

    fn remember(&mut self, at: NativeSessionPlace<'_>, id: &str, total: Option<Usage>) {
        let NativeSessionPlace { key, adapter, workdir, title } = at;
        let row = self.rows.entry(key.to_owned()).or_default();
        if row.native_id(adapter.session_key) != Some(id) {
            row.usage_total = None;
            row.title = title.to_owned();
        }
        row.native_ids.insert(adapter.session_key.to_owned(), id.into());
        row.workdir = workdir.to_owned();
        row.used_at = now_ms();
        if let Some(total) = total {
            row.usage_total = Some(total.to_json());
        }
        (self.tell)(SessionEvent::Remember { key: key.to_owned(), row: row.clone() });
    }

    fn forget(&mut self, key: &str) {
        self.shared.pool.forget(key);
        if self.rows.remove(key).is_some() {
            (self.tell)(SessionEvent::Forget { key: key.to_owned() });
        }
    }

    fn reply(&mut self, job: &Job, ended: EndedTurn, text: &str, kind: ReplyKind) {
        let composed = self.compose(job, text.to_owned(), kind, None);
        self.send(job, ended, composed);
    }

    /// Composes a reply with copies of the files that it names, and of one more.
    fn compose(&self, job: &Job, said: String, kind: ReplyKind, own: Option<Upload>) -> ComposedReply {
        let (text, mut uploads) = file_upload::of_reply(&self.shared, job, self.lang, &said, kind);
        uploads.extend(own);
        let parts = match text.trim() {
            // the card of the file is the answer
            "" if !uploads.is_empty() => Vec::new(),
            "" => vec![Msg::Empty.to(self.lang, &[])],
            _ => outbound_text::chunk(&text, CHUNK_CHARS),
        };
        let parts = self.shared.encrypt_parts(job, parts);
        ComposedReply { said, text, kind, parts, uploads }
    }

    /// Makes the reply durable, then hands it to the hub. The order is the promise: once an agent has finished,
    /// its reply survives a crash.
    fn send(&mut self, job: &Job, ended: EndedTurn, composed: ComposedReply) {
        let ComposedReply { text, kind, parts, uploads, .. } = composed;
        let reply_to = job.message_id.as_deref();
        let mut entry = self.shared.outbox.new_entry(&job.key, &job.topic_id, reply_to, parts, kind);
        entry.follow_ups.extend(uploads.into_iter().map(FollowUp::Upload));
        entry.merged_keys = std::mem::take(&mut self.also);
        entry.follow_ups.extend(self.task.commit_finished(
            &ended.end,
            &text,
            self.used.take(),
            &self.adapter,
        ));
        // of a turn that is put off the hub keeps the message first
        let on_disk =
            !matches!(ended.end, TurnEnd::Parked { .. }) && self.shared.outbox.put_or_keep_in_memory(&entry);
        let (scope, entry) = (self.scope.clone(), Box::new(entry));
        (self.tell)(SessionEvent::Ended { scope, ended, entry, on_disk });
    }
}

/// A reply that is ready to be made durable.
struct ComposedReply {
    /// What the agent said.
    said: String,
    /// The same without the markers of files, and shortened where a file holds all of it.
    text: String,
    kind: ReplyKind,
    /// The text in pieces, encrypted where the message was.
    parts: Vec<String>,
    uploads: Vec<Upload>,
}

/// Where a native session is kept, and what is known of it.
#[derive(Clone, Copy)]
struct NativeSessionPlace<'a> {
    key: &'a str,
    adapter: &'static AdapterSpec,
    workdir: &'a str,
    title: &'a str,
}
