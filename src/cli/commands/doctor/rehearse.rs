//! `doctor --rehearse`: runs three short real turns of each agent: one is answered, one resumes it, and one is stopped.
//!
//! The turns use the same runner as messages do, in a temporary directory.

use super::{Finding, Severity, finding};
use crate::agent::adapter::AdapterSpec;
use crate::agent::adapters;
use crate::agent::outcome::{AgentOutcome, TurnReport};
use crate::agent::runner;
use crate::agent::runner::{Control, Runner, RunnerEvent};
use crate::agent::{AgentEvent, TurnRequest};
use crate::cli::commands::profiles;
use crate::config::{Config, Limits};
use crate::error::{Error, Result};
use crate::session::failure_text::sentence;
use crate::session::messages::Lang;
use crate::session::{self, model};
use crate::store::atomic;
use crate::sys::transient_line::TransientLine;
use crate::sys::{id, signal};
use crate::text;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A cold start with a slow provider takes a minute; a CLI that takes longer to answer with one word is of no use.
const LIMITS: Limits = Limits {
    first_event: Duration::from_secs(90),
    idle: Duration::from_secs(90),
    total: Duration::from_secs(120),
};
/// Longest part of an answer that is shown.
const SHOWN_CHARS: usize = 60;

/// A prompt whose answer takes long enough to be stopped.
const LONG_PROMPT: &str =
    "Write the numbers from 1 to 400 in words, one on each line, and nothing else. Use no tools.";

/// The adapters to rehearse: the requested one, or else the enabled ones.
pub fn select(config: &Config, asked: Option<&str>) -> Result<Vec<&'static AdapterSpec>> {
    let Some(word) = asked else {
        let mut enabled = Vec::new();
        enabled.extend(config.adapters.iter().filter_map(|name| adapters::find(name)));
        return Ok(enabled);
    };
    let names: Vec<&str> = adapters::ADAPTERS.iter().map(|spec| spec.name).collect();
    let unknown = || {
        let word = text::truncate(&text::one_line(word), 40);
        let mut near = text::hint(&word, names.iter().copied());
        if profiles::names().contains(&word) {
            near = format!("; for the profile use `--profile {word}`");
        }
        Error::Usage(format!("there is no adapter `{word}`{near}; use one of {}", names.join(", ")))
    };
    Ok(vec![adapters::find(word).ok_or_else(unknown)?])
}

/// Rehearses the adapters one after the other and passes each finding to `report` at once.
pub fn run(config: &Config, specs: &[&'static AdapterSpec], report: &mut dyn FnMut(Finding)) -> Result<()> {
    let failed = |e: std::io::Error| Error::Failed(format!("cannot rehearse: {e}"));
    let (control, stop) = unbounded();
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, to_turn) = (interrupted.clone(), control.clone());
    let note = move |_| {
        flag.store(true, Ordering::Relaxed);
        let _ = to_turn.send(Control::Shutdown);
        true
    };
    signal::spawn_handler(Box::new(note)).map_err(failed)?;
    let folder = std::env::temp_dir().join(format!("wtt-connect-rehearsal-{}", id::hex()));
    let mut outcome = Ok(());
    for spec in specs.iter().copied() {
        let workdir = folder.join(spec.name);
        if let Err(e) = atomic::make_private_folder(&workdir) {
            outcome = Err(failed(e));
            break;
        }
        let rehearsal = Rehearsal { config, workdir: &workdir, control: &control, stop: &stop };
        rehearsal.rehearse(spec, &mut |severity, text| {
            if !interrupted.load(Ordering::Relaxed) {
                report(finding("Rehearsal", spec.name, severity, text));
            }
        });
        if interrupted.load(Ordering::Relaxed) {
            outcome =
                Err(Error::Failed("the rehearsal was interrupted; none of its processes is left".into()));
            break;
        }
    }
    // whatever files the agents left there are not needed
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

/// The rehearsal of one agent.
struct Rehearsal<'a> {
    config: &'a Config,
    workdir: &'a Path,
    control: &'a Sender<Control>,
    stop: &'a Receiver<Control>,
}

/// The result of a turn.
struct RehearsedTurn {
    report: TurnReport,
    took: Duration,
    /// Why the session could not be resumed.
    fresh: Option<String>,
    /// The time from the cancel request to the end.
    stopped: Option<Duration>,
}

impl Rehearsal<'_> {
    /// Runs the three turns, up to the first failure.
    fn rehearse(&self, named: &'static AdapterSpec, report: &mut dyn FnMut(Severity, String)) {
        let command = self.config.commands.get(named.name).map_or(&[][..], Vec::as_slice);
        // any installed agent may be rehearsed, enabled or not
        let mut all = Vec::new();
        all.extend(adapters::ADAPTERS.iter().map(|spec| spec.name.to_owned()));
        let spec = match session::check_adapter(named, command, self.config, self.config.mode, &all) {
            Ok(spec) => spec,
            Err((reason, detail)) => {
                return report(Severity::Problem, sentence(&reason, Lang::En, named.title, &detail));
            }
        };
        let word = &id::hex()[..6];
        let prompt = format!(
            "This is a test of the connection. Remember the word {word}, use no tools, and answer with that word only."
        );
        let first = self.turn(spec, command, prompt, None, false);
        let Some(answer) = answer_of(spec, &first, "turn", report) else { return };
        report(Severity::Ok, format!("turn: answered in {}: {answer}", seconds(first.took)));

        let Some(session) = first.report.session else {
            report(
                Severity::Note,
                "resume: it reported no session, so each message starts a new one".to_owned(),
            );
            return self.check_stop(spec, command, report);
        };
        let prompt = "Which word were you to remember? Answer with it only, and use no tools.".to_owned();
        let second = self.turn(spec, command, prompt, Some(session), false);
        let Some(answer) = answer_of(spec, &second, "resume", report) else { return };
        let took = seconds(second.took);
        match &second.fresh {
            Some(why) => {
                return report(Severity::Problem, format!("resume: the session was lost: {why}"));
            }
            None if answer.contains(word) => {
                report(Severity::Ok, format!("resume: remembered the word, in {took}"));
            }
            None => {
                let text = format!("resume: answered in {took}, but without the word: {answer}");
                report(Severity::Note, text);
            }
        }
        self.check_stop(spec, command, report);
    }

    /// Runs a turn and stops it as soon as it has begun.
    fn check_stop(&self, spec: &AdapterSpec, command: &[String], report: &mut dyn FnMut(Severity, String)) {
        let turn = self.turn(spec, command, LONG_PROMPT.to_owned(), None, true);
        match (&turn.report.outcome, turn.stopped) {
            (AgentOutcome::Cancelled { .. }, took) => {
                let took = seconds(took.unwrap_or(turn.took));
                report(Severity::Ok, format!("stop: ended in {took}, none of its processes is left"));
            }
            (AgentOutcome::Done(_), _) => {
                report(Severity::Note, "stop: it answered before it could be stopped".to_owned());
            }
            (AgentOutcome::Failed { .. }, _) => drop(answer_of(spec, &turn, "stop", report)),
        }
    }

    fn turn(
        &self,
        spec: &AdapterSpec,
        command: &[String],
        prompt: String,
        resume: Option<String>,
        stop_it: bool,
    ) -> RehearsedTurn {
        let _passing = TransientLine::show(&format!("Waiting for a turn of {}", spec.name));
        let runner = Runner {
            spec,
            command,
            env: &self.config.extra_env,
            limits: LIMITS,
            owner: "rehearsal",
            control: self.stop,
            steers: &crossbeam_channel::never(),
            usage_before: None,
            // the previous turn has just used it
            opened_at: resume.is_some().then(crate::sys::time::now_ms),
            keep_process: None,
            policy: &crate::agent::permission::ModePolicy { can_ask_people: false },
        };
        let request = TurnRequest {
            fresh_prompt: resume.is_some().then(|| prompt.clone()),
            prompt,
            workdir: self.workdir.to_owned(),
            model: self.config.model.as_deref().and_then(|id| model::usual_model(id, spec.name)),
            effort: None,
            mode: self.config.mode,
            resume,
            images: Vec::new(),
            transport: None,
            is_slash_command: false,
        };
        let began = Instant::now();
        let (mut fresh, mut asked) = (None, None);
        let report = runner::run(&runner, &request, &mut |progress| {
            let RunnerEvent::Agent(event) = progress else { return };
            if let AgentEvent::FreshSession(why) = &event {
                fresh = Some(text::truncate(&text::one_line(why), SHOWN_CHARS));
            }
            if stop_it && asked.is_none() {
                asked = Some(Instant::now());
                let _ = self.control.send(Control::Cancel);
            }
        });
        if stop_it {
            // a turn that was too quick has left the request in the channel, where the next one would find it
            let _ = self.stop.try_recv();
        }
        RehearsedTurn { report, took: began.elapsed(), fresh, stopped: asked.map(|asked| asked.elapsed()) }
    }
}

/// The answer of a turn in one line. Without one, reports the reason and returns none.
fn answer_of(
    spec: &AdapterSpec,
    turn: &RehearsedTurn,
    step: &str,
    report: &mut dyn FnMut(Severity, String),
) -> Option<String> {
    let why = match &turn.report.outcome {
        AgentOutcome::Done(answer) => return Some(text::truncate(&text::one_line(answer), SHOWN_CHARS)),
        AgentOutcome::Failed { reason, detail, .. } => sentence(reason, Lang::En, spec.title, detail),
        AgentOutcome::Cancelled { .. } => "it was stopped".to_owned(),
    };
    report(Severity::Problem, format!("{step}: {why}"));
    None
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
