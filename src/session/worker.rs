//! The worker of one session: takes work from its mailbox and sees each turn through to its one reply.

use crate::agent::adapter::AdapterSpec;
use crate::agent::adapters;
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::permission::PermissionRequest;
use crate::agent::runner::{self, Control, KeepProcess, Runner, RunnerEvent, SteerOutcome};
use crate::agent::{AgentEvent, PromptImage, TurnRequest, Usage};
use crate::config::Config;
use crate::session::attachments::download::{self, DownloadedMessage};
use crate::session::event::{AskedPermission, SessionEvent};
use crate::session::interruptible::StoppedWhileWaiting;
use crate::session::messages::{Lang, Msg};
use crate::session::permissions::evaluator::{self, RequestEvaluator};
use crate::session::progress::filter::ProgressFilter;
use crate::session::progress::formatter::{self, FinalText, Footnotes};
use crate::session::routing;
use crate::session::shared::Shared;
use crate::session::slash_command::{self, SlashPlan};
use crate::session::speech::synthesize;
use crate::session::task::TaskLink;
use crate::session::turn::{EndedTurn, Turn, TurnEnd};
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
    tell: F,
    /// Of the current turn: its task, its adapter, its language, its token usage, and the keys of the messages that its
    /// reply answers as well.
    task: Arc<TaskLink>,
    adapter: String,
    lang: Lang,
    usage: Option<Usage>,
    merged_keys: Vec<String>,
}

impl<F: FnMut(SessionEvent) + Clone + Send + 'static> Worker<F> {
    pub(super) fn new(
        shared: Arc<Shared>,
        scope: Scope,
        rows: BTreeMap<String, SessionRow>,
        tell: F,
    ) -> Worker<F> {
        let (task, adapter, merged_keys) = (Arc::default(), String::new(), Vec::new());
        Worker { shared, scope, rows, tell, task, adapter, lang: Lang::En, usage: None, merged_keys }
    }

    pub(super) fn work(&mut self, work: Work) {
        match work {
            Work::Turn(assignment) => self.turn(*assignment),
            Work::Change(change) => self.change(*change),
        }
    }

    fn change(&mut self, change: SessionChange) {
        let SessionChange { job, turn_id, continue_with, text } = change;
        self.task = Arc::default();
        match continue_with {
            None => {
                for key in std::mem::take(&mut self.rows).into_keys() {
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

    fn turn(&mut self, mut assignment: Assignment) {
        self.merged_keys = std::mem::take(&mut assignment.also);
        self.task = assignment.task.clone();
        self.adapter.clone_from(&assignment.route.adapter);
        (self.lang, self.usage) = (assignment.lang, None);
        let Assignment { job, lang, turn_id, control, .. } = &assignment;
        let mut turn = Turn::queued(job.key.clone(), *turn_id);
        if let Ok(request) = control.try_recv() {
            return self.end_before_start(job, turn, request);
        }
        turn.begin();
        (self.tell)(SessionEvent::TurnStarted { scope: self.scope.clone(), turn_id: *turn_id });
        // unwinding ends the processes of the turn: their owners are values of the runner
        let answer = thread::contain_panic(|| self.answer(&assignment));
        let (composed, end) = answer.unwrap_or_else(|| self.after_panic(&assignment));
        let spoken = assignment.route.speak && composed.kind == ReplyKind::Done;
        let spoken = spoken.then(|| composed.said.clone());
        self.send(job, turn.end(end), composed);
        if let Some(text) = spoken {
            synthesize::synthesize_reply(&self.shared, job, *lang, &text, Box::new(self.tell.clone()));
        }
    }

    /// Runs the agent and composes its reply. Everything that depends on what the agent says happens in here.
    fn answer(&mut self, turn: &Assignment) -> (ComposedReply, TurnEnd) {
        let began = Instant::now();
        let mut result = self.run(turn);
        // an agent that did and said nothing is asked once more for a task (confirmed, see TASKS in
        // wtt-connect-protocol(7))
        if let TurnEnd::Failed(Reason::SilentExit(0) | Reason::NoOutput) = result.end
            && self.task.task_id().is_some()
        {
            result = self.run(turn);
        }
        let FinalText { text, kind, end } = result;
        let wanted = kind == ReplyKind::Done && self.shared.config.upload_artifacts;
        let summary = self.task.title().filter(|_| wanted).and_then(|title| {
            file_upload::summary(&self.shared.staging, turn, &title, began.elapsed(), &text)
        });
        (self.compose(&turn.job, text, kind, summary), end)
    }

    /// The reply of a turn that a panic of ours has ended. A task becomes `blocked` by it.
    fn after_panic(&self, turn: &Assignment) -> (ComposedReply, TurnEnd) {
        let name = turn.route.adapter.as_str();
        let title = adapters::find(name).map_or(name, |adapter| adapter.title);
        let text = format!("⚠️ {}", Msg::InternalPanic.to(turn.lang, &[title]));
        let parts = self.shared.encrypt_parts(&turn.job, vec![text.clone()]);
        let composed =
            ComposedReply { said: text.clone(), text, kind: ReplyKind::Failed, parts, uploads: Vec::new() };
        (composed, TurnEnd::Failed(Reason::Internal))
    }

    fn end_before_start(&mut self, job: &Job, turn: Turn, request: Control) {
        let (text, end, kind) = if request == Control::Cancel {
            (Msg::StoppedEarly.to(self.lang, &[]), TurnEnd::Cancelled, ReplyKind::Cancelled)
        } else {
            let text = formatter::interrupted(self.lang, false);
            (text, TurnEnd::Interrupted { started: false }, ReplyKind::Interrupted)
        };
        self.reply(job, turn.end(end), &text, kind);
    }

    /// Runs the agent once, unless something ends the turn before.
    fn run(&mut self, turn: &Assignment) -> FinalText {
        let (shared, name) = (self.shared.clone(), &turn.route.adapter);
        let config = &shared.config;
        let Some(adapter) = adapters::find(name) else {
            let text = Msg::NoAdapter.to(turn.lang, &[name]);
            return FinalText { text, kind: ReplyKind::Failed, end: TurnEnd::Refused };
        };
        let command = config.commands.get(adapter.name).map_or(&[][..], Vec::as_slice);
        let checked = preflight::check_adapter(adapter, command, config, turn.route.mode, &config.adapters);
        // the spec of the installed version from here on
        let (adapter, result) = match checked {
            Ok(adapter) => (adapter, self.run_agent(&shared, turn, adapter, command)),
            Err(why) => (adapter, Err(why.into())),
        };
        result.unwrap_or_else(|why| match why {
            NotStarted::Answer(text) => FinalText { text, kind: ReplyKind::Notice, end: TurnEnd::Refused },
            NotStarted::Outcome(outcome) => {
                self.conclude(&TurnReport::not_started(outcome), adapter, &Footnotes::default(), turn.lang)
            }
        })
    }

    /// Fetches what came with the message, switches the model, builds the request and runs the agent to its end.
    fn run_agent(
        &mut self,
        shared: &Shared,
        turn: &Assignment,
        adapter: &'static AdapterSpec,
        command: &[String],
    ) -> Result<FinalText, NotStarted> {
        let Assignment { route, lang, turn_id, control, steers, .. } = turn;
        let config = &shared.config;
        let progress = ProgressFilter::new(adapter, route, *lang);
        let received = download::download_all(shared, &turn.job, *lang, control, &mut |text| {
            self.show_status(turn, TypingStatus { text, ..progress.last.clone() });
        });
        let DownloadedMessage { job, images, remark } = received?;
        let switched = preflight::switch(shared, route, control, &mut || {
            let text = Msg::WaitsForSwitch.to(*lang, &[]);
            self.show_status(turn, TypingStatus { text, kind: StatusKind::Queued, ..progress.last.clone() });
        })?;
        let place = NativeSessionPlace {
            key: routing::session_key(&self.scope, route),
            adapter,
            workdir: config.workdir.to_string_lossy().into_owned(),
            title: text::truncate(&text::one_line(&turn.job.instruction), TITLE_CHARS),
        };
        let row = self.rows.get(&place.key).filter(|row| row.workdir == place.workdir);
        let usage_before = row.and_then(|row| Usage::from_json(row.usage_total.as_ref()?));
        let opened_at = row.and_then(|row| row.opened_at);
        let resume = row.and_then(|row| row.native_id(adapter.session_key)).map(str::to_owned);
        let mut request = build_request(config, turn, &job, adapter, resume, images)?;
        let evaluator = RequestEvaluator::new(config, adapter, &turn.job, route.mode, turn.grants.clone());
        request.mode = evaluator::start_mode(config, adapter, &request)?;
        let runner = Runner {
            spec: adapter,
            command,
            env: &file_upload::environment(config, &job.topic_id, shared.turn(*turn_id)),
            limits: config.limits,
            owner: &shared.owner,
            control,
            steers,
            usage_before,
            opened_at,
            // What a switcher changes, an agent reads when it starts.
            keep_process: switched
                .is_none()
                .then_some(KeepProcess { pool: &shared.pool, session: &place.key }),
            policy: &evaluator,
        };
        let footnotes = Footnotes::default();
        let mut run =
            AgentRun { turn, evaluator: &evaluator, place: &place, native_id: None, progress, footnotes };
        let mut report = runner::run(&runner, &request, &mut |event| self.on_runner_event(&mut run, event));
        // most commands do their work without a word
        if request.is_slash_command
            && matches!(report.outcome, AgentOutcome::Failed { reason: Reason::NoOutput, .. })
        {
            let name = job.instruction.split_whitespace().next().unwrap_or_default();
            report.outcome = AgentOutcome::Done(Msg::CommandDone.to(*lang, &[name]));
        }
        self.record_report(&place, &report);
        let mut result = self.conclude(&report, adapter, &run.footnotes, *lang);
        result.text.push_str(&remark);
        Ok(result)
    }

    /// Passes on to the hub what the runner reports.
    fn on_runner_event(&mut self, run: &mut AgentRun<'_>, event: RunnerEvent) {
        if let RunnerEvent::Agent(event) = &event {
            self.on_agent_event(run, event);
        }
        if !matches!(event, RunnerEvent::Steered { .. })
            && let Some(status) = run.progress.status_for(&event, run.turn.lang)
        {
            self.show_status(run.turn, status);
        }
        (self.tell)(match event {
            RunnerEvent::Steered { id: key, outcome: fate } => {
                if fate != SteerOutcome::TooLate {
                    self.merged_keys.push(key.clone());
                }
                SessionEvent::Steered { scope: self.scope.clone(), key, fate }
            }
            RunnerEvent::PermissionRequested(ask, rule) => SessionEvent::Asked(run.asked(ask, rule)),
            RunnerEvent::PermissionWithdrawn(id) => SessionEvent::Withdrawn { turn_id: run.turn.turn_id, id },
            RunnerEvent::PermissionDecided(ask, decision, rule) => {
                SessionEvent::Decided { asked: run.asked(ask, rule), decision }
            }
            RunnerEvent::Agent(_) | RunnerEvent::Heartbeat => return,
        });
    }

    fn on_agent_event(&mut self, run: &mut AgentRun<'_>, event: &AgentEvent) {
        run.footnotes.note(event);
        match event {
            AgentEvent::Text(text) => fault_injection::panic_at("turn", text),
            AgentEvent::Session(id) if run.native_id.as_ref() != Some(id) => {
                run.native_id = Some(id.clone());
                self.rows.entry(run.place.key.clone()).or_default().opened_at = Some(now_ms());
                self.remember(run.place, id, None);
            }
            AgentEvent::Note(note) => log::debug!(target: "session", "{}: {note}", run.place.adapter.name),
            _ => {}
        }
    }

    fn show_status(&mut self, turn: &Assignment, status: TypingStatus) {
        let topic_id = turn.job.topic_id.clone();
        (self.tell)(SessionEvent::Status { topic_id, turn_id: turn.turn_id, status });
    }

    /// Keeps or forgets the native session, and counts what the turn has used.
    fn record_report(&mut self, place: &NativeSessionPlace, report: &TurnReport) {
        match (&report.outcome, &report.session) {
            (AgentOutcome::Failed { reason, .. }, _) if reason.session_action() != SessionAction::Keep => {
                self.forget(&place.key);
            }
            (_, Some(id)) => self.remember(place, id, report.usage_total),
            _ => {}
        }
        let (scope, usage, adapter) = (self.scope.clone(), report.usage, place.adapter.name);
        (self.tell)(SessionEvent::Used { scope, adapter, usage });
        self.usage = usage;
        if let Some(Usage { input, cached, output }) = usage {
            log::debug!(target: "session", "{adapter}: {input} tokens in ({cached} cached), {output} out");
        }
    }

    fn conclude(
        &self,
        report: &TurnReport,
        adapter: &AdapterSpec,
        footnotes: &Footnotes,
        lang: Lang,
    ) -> FinalText {
        if let AgentOutcome::Failed { reason, detail, .. } = &report.outcome {
            log::warn!(target: "session", "{} failed in {}: {} {detail}", adapter.name, self.scope, reason.word());
        }
        let draining = self.shared.draining.load(Ordering::Relaxed);
        formatter::final_text(report, adapter.title, footnotes, lang, draining, now_ms())
    }

    fn remember(&mut self, place: &NativeSessionPlace, id: &str, total: Option<Usage>) {
        let NativeSessionPlace { key, adapter, workdir, title } = place;
        let row = self.rows.entry(key.clone()).or_default();
        if row.native_id(adapter.session_key) != Some(id) {
            row.usage_total = None;
            row.title.clone_from(title);
        }
        row.native_ids.insert(adapter.session_key.to_owned(), id.into());
        row.workdir.clone_from(workdir);
        row.used_at = now_ms();
        if let Some(total) = total {
            row.usage_total = Some(total.to_json());
        }
        (self.tell)(SessionEvent::Remember { key: key.clone(), row: row.clone() });
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
        entry.merged_keys = std::mem::take(&mut self.merged_keys);
        let usage = self.usage.take();
        entry.follow_ups.extend(self.task.commit_finished(&ended.end, &text, usage, &self.adapter));
        // of a deferred turn the hub stores the message first
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

/// The native session that a turn works in.
struct NativeSessionPlace {
    /// Its key in the state.
    key: String,
    adapter: &'static AdapterSpec,
    workdir: String,
    title: String,
}

/// A running agent, and what its events are handled with.
struct AgentRun<'a> {
    turn: &'a Assignment,
    evaluator: &'a RequestEvaluator<'a>,
    place: &'a NativeSessionPlace,
    /// The native session id that the agent has reported last.
    native_id: Option<String>,
    progress: ProgressFilter,
    footnotes: Footnotes,
}

impl AgentRun<'_> {
    fn asked(&self, ask: PermissionRequest, rule: String) -> Box<AskedPermission> {
        let Assignment { job, turn_id, .. } = self.turn;
        let (scope, topic_id, grant) = (job.scope.clone(), job.topic_id.clone(), self.evaluator.grant(&ask));
        let who = self.place.adapter.title;
        Box::new(AskedPermission { scope, topic_id, turn_id: *turn_id, who, ask, rule, grant })
    }
}

/// What ends a turn before its agent is started.
enum NotStarted {
    /// As if an agent had ended so.
    Outcome(AgentOutcome),
    /// The connector answers instead of the agent.
    Answer(String),
}

impl From<AgentOutcome> for NotStarted {
    fn from(outcome: AgentOutcome) -> NotStarted {
        NotStarted::Outcome(outcome)
    }
}

impl From<(Reason, String)> for NotStarted {
    fn from((reason, detail): (Reason, String)) -> NotStarted {
        NotStarted::Outcome(AgentOutcome::Failed { reason, detail, partial: String::new() })
    }
}

impl From<StoppedWhileWaiting> for NotStarted {
    fn from(_: StoppedWhileWaiting) -> NotStarted {
        NotStarted::Outcome(AgentOutcome::Cancelled { partial: String::new() })
    }
}

/// The request for the agent: a prompt, or a command of its CLI.
fn build_request(
    config: &Config,
    turn: &Assignment,
    job: &Job,
    adapter: &AdapterSpec,
    resume: Option<String>,
    images: Vec<PromptImage>,
) -> Result<TurnRequest, NotStarted> {
    let Assignment { route, lang, .. } = turn;
    let fresh = || match prompt::build(job, &config.agent_id, true) {
        // a command of the CLI: it knows it only when it stands alone
        text if job.forwarded_command => text,
        text => format!("{}\n\n{text}", prompt::files(&job.topic_id, &file_upload::command())),
    };
    let mut request = TurnRequest {
        prompt: if resume.is_some() { prompt::build(job, &config.agent_id, false) } else { fresh() },
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
    match slash_command::plan(job, adapter, &request, *lang) {
        SlashPlan::Message => {}
        SlashPlan::Answer(text) => return Err(NotStarted::Answer(text)),
        SlashPlan::Command(transport) => {
            request.prompt.clone_from(&job.instruction);
            request.fresh_prompt = None;
            request.transport = transport.map(str::to_owned).or(request.transport);
            request.is_slash_command = true;
        }
    }
    Ok(request)
}
