//! The ACP dialect under the real runner, with a fake agent (`tests/agents/acp.sh`) that dies, hangs, babbles and asks.

use super::player;
use crate::support::daemon::is_alive;
use crate::support::watch::Watch;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::Path;
use std::time::Duration;
use wtt_connect::agent::adapters;
use wtt_connect::agent::outcome::{AgentOutcome, Reason, TurnReport};
use wtt_connect::agent::pool::Pool;
use wtt_connect::agent::runner;
use wtt_connect::agent::runner::{Control, KeepProcess, Runner, RunnerEvent};
use wtt_connect::agent::{AgentEvent, TurnRequest};
use wtt_connect::config::{Limits, Mode};
use wtt_connect::sys::time::now_ms;

const LONG: Duration = Duration::from_secs(60);

struct Bench {
    dir: tempfile::TempDir,
    pool: Pool,
    mode: Mode,
    people: bool,
    limits: Limits,
    opened_at: Option<i64>,
    control: (Sender<Control>, Receiver<Control>),
}

fn bench() -> Bench {
    crate::support::program::can_be_interrupted();
    Bench {
        dir: tempfile::tempdir().unwrap(),
        pool: Pool::new(LONG, 4),
        mode: Mode::FullAuto,
        people: false,
        limits: Limits { first_event: LONG, idle: LONG, total: LONG },
        opened_at: None,
        control: unbounded(),
    }
}

impl Bench {
    fn turn_with(
        &self,
        resume: Option<&TurnReport>,
        prompt: &str,
        on: &mut dyn FnMut(&RunnerEvent),
    ) -> TurnReport {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/acp.sh");
        let env = std::collections::BTreeMap::new();
        let request = TurnRequest {
            prompt: prompt.to_owned(),
            workdir: self.dir.path().to_owned(),
            mode: self.mode,
            resume: resume.map(|report| report.session.clone().unwrap()),
            ..player::request()
        };
        let runner = Runner {
            spec: adapters::find("acp").unwrap(),
            command: &["/bin/sh".to_owned(), script.to_str().unwrap().to_owned()],
            env: &env,
            limits: self.limits,
            owner: "tests:acp",
            control: &self.control.1,
            steers: &crossbeam_channel::never(),
            usage_before: None,
            opened_at: self.opened_at,
            keep_process: Some(KeepProcess { pool: &self.pool, session: "a" }),
            policy: &wtt_connect::agent::permission::ModePolicy { can_ask_people: self.people },
        };
        runner::run(&runner, &request, &mut |progress| on(&progress))
    }

    fn turn(&self, resume: Option<&TurnReport>, prompt: &str) -> TurnReport {
        self.turn_with(resume, prompt, &mut |_| {})
    }

    /// Stops the turn as soon as the agent has said something. How long that took.
    fn stopped(&self, resume: Option<&TurnReport>, prompt: &str) -> (TurnReport, Watch) {
        let mut at = Watch::start();
        let report = self.turn_with(resume, prompt, &mut |progress| {
            if matches!(progress, RunnerEvent::Agent(AgentEvent::Text(_))) {
                at = Watch::start();
                self.control.0.send(Control::Cancel).unwrap();
            }
        });
        (report, at)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    fn touch(&self, name: &str) {
        std::fs::File::create(self.dir.path().join(name)).unwrap();
    }

    fn starts(&self) -> usize {
        self.file("pids").lines().count()
    }

    /// Nothing that ever ran is left.
    fn close(self) {
        self.pool.close();
        assert!(self.pool.wait(LONG) && self.pool.is_empty());
        assert!(!self.file("pids").lines().any(is_alive));
    }
}

fn reason(report: &TurnReport) -> &Reason {
    match &report.outcome {
        AgentOutcome::Failed { reason, .. } => reason,
        other => panic!("expected a failure: {other:?}"),
    }
}

#[test]
fn one_process_serves_many_turns_and_is_replaced_when_it_dies() {
    let bench = bench();
    let first = bench.turn(None, "hello");
    let pid = bench.file("pids").trim().to_owned();
    assert_eq!(first.outcome, AgentOutcome::Done(format!("hello from {pid}")));
    assert_eq!(first.session.as_deref(), Some("s-1"));
    assert_eq!(bench.file("heard").matches("yolo").count(), 1);
    assert_eq!(bench.turn(Some(&first), "hello").outcome, first.outcome);
    assert_eq!((bench.starts(), bench.file("heard").lines().count()), (1, 1), "the mode is set once");
    let died = bench.turn(Some(&first), "die");
    assert_eq!(
        died.outcome,
        AgentOutcome::Failed { reason: Reason::SilentExit(3), detail: String::new(), partial: "half".into() }
    );
    assert_eq!(died.session, first.session);
    assert_eq!(*reason(&bench.turn(Some(&first), "kill")), Reason::Killed(9));
    assert_eq!(*reason(&bench.turn(Some(&first), "nothing")), Reason::NoOutput);
    assert!(
        matches!(bench.turn(Some(&first), "garbage").outcome, AgentOutcome::Done(text) if text == "fine")
    );
    bench.touch("stale");
    bench.pool.forget("a");
    let mut fresh = false;
    let again = bench.turn_with(Some(&first), "hello", &mut |progress| {
        fresh |= matches!(progress, RunnerEvent::Agent(AgentEvent::FreshSession(_)));
    });
    assert!(
        fresh && matches!(again.outcome, AgentOutcome::Done(_)),
        "a stale id means one retry, and the user is told"
    );
    bench.close();
}

#[test]
fn a_cancel_is_asked_for_first_and_leaves_nothing() {
    let bench = bench();
    let first = bench.turn(None, "hello");
    let (report, took) = bench.stopped(Some(&first), "tool");
    assert_eq!(report.outcome, AgentOutcome::Cancelled { partial: "half".to_owned() });
    let took = took.counted();
    assert!(bench.file("heard").contains("cancel") && took < Duration::from_secs(3), "{took:?}");
    assert_eq!(report.session, first.session, "it can be resumed");
    bench.touch("deaf");
    let (report, took) = bench.stopped(Some(&first), "tool");
    assert_eq!(report.outcome, AgentOutcome::Cancelled { partial: "half".to_owned() });
    let took = took.counted();
    assert!(took < Duration::from_secs(8), "signals end who does not listen: {took:?}");
    bench.close();
}

#[test]
fn silence_is_ended_by_the_idle_limit() {
    let mut bench = bench();
    bench.limits.idle = Duration::from_millis(400);
    let report = bench.turn(None, "silence");
    assert_eq!(*reason(&report), Reason::IdleTimeout);
    assert!(bench.file("heard").contains("cancel"), "it was asked to stop");
    bench.close();
}

#[test]
fn questions_are_answered_as_the_mode_says() {
    for (mode, option) in [(Mode::FullAuto, "\"y\""), (Mode::Suggest, "\"n\"")] {
        let mut bench = bench();
        bench.mode = mode;
        let mut denied = Vec::new();
        let report = bench.turn_with(None, "ask", &mut |progress| {
            if let RunnerEvent::Agent(AgentEvent::Denied(what)) = progress {
                denied.push(what.clone());
            }
        });
        assert_eq!(report.outcome, AgentOutcome::Done("went on".to_owned()));
        assert!(bench.file("heard").contains(option), "{}", bench.file("heard"));
        let want: &[&str] = if mode == Mode::Suggest { &["rm -rf x (the mode suggest)"] } else { &[] };
        assert_eq!(denied, want);
        bench.close();
    }
}

#[test]
fn a_question_that_nobody_answers_ends_with_the_turn() {
    let mut bench = bench();
    (bench.mode, bench.people) = (Mode::Suggest, true);
    // within it the agent starts and asks
    bench.limits.total = Duration::from_secs(3);
    let mut asked = 0;
    let report = bench.turn_with(None, "ask", &mut |progress| {
        asked += u32::from(matches!(progress, RunnerEvent::PermissionRequested(..)))
    });
    assert_eq!((*reason(&report) == Reason::TotalTimeout, asked), (true, 1));
    assert!(bench.file("heard").contains("\"outcome\":\"cancelled\""), "{}", bench.file("heard"));
    bench.close();
}

#[test]
fn gemini_loads_a_session_in_a_later_minute_only_and_a_stop_ends_the_wait() {
    let minute = || now_ms() / 60_000;
    let mut bench = bench();
    bench.touch("gemini");
    let first = bench.turn(None, "hello");
    // Once more, if the minute ended meanwhile.
    loop {
        bench.pool.forget("a");
        let began = minute();
        bench.opened_at = Some(now_ms());
        let mut waits = 0;
        let report = bench.turn_with(Some(&first), "hello", &mut |progress| {
            if matches!(progress, RunnerEvent::Agent(AgentEvent::Waiting)) {
                waits += 1;
                bench.control.0.send(Control::Cancel).unwrap();
            }
        });
        if minute() == began {
            assert_eq!((report.outcome, waits), (AgentOutcome::Cancelled { partial: String::new() }, 1));
            assert_eq!(report.session, first.session, "it can be resumed");
            assert!(!bench.file("heard").contains("load"), "{}", bench.file("heard"));
            break;
        }
        std::fs::remove_file(bench.dir.path().join("heard")).unwrap();
    }
    bench.opened_at = Some(now_ms() - 60_000);
    let again = bench.turn(Some(&first), "hello");
    assert!(matches!(again.outcome, AgentOutcome::Done(_)), "{again:?}");
    assert!(bench.file("heard").contains("load"));
    bench.close();
}
