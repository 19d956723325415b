//! The process runner against real processes: fake agents (`tests/agents/*.sh`) that speak codex's protocol and misbehave.
//!
//! A test that measures a whole process (memory, open files, environment) runs itself again in a child of the test binary.

use crate::support::daemon::until;
use crate::support::program::{can_be_interrupted, program};
use crate::support::watch::Watch;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use wtt_connect::agent::adapter::{AdapterSpec, Login};
use wtt_connect::agent::adapters;
use wtt_connect::agent::discovery::login::probe;
use wtt_connect::agent::outcome::{AgentOutcome, Reason, TurnReport};
use wtt_connect::agent::runner;
use wtt_connect::agent::runner::{Control, Runner, RunnerEvent};
use wtt_connect::agent::{AgentEvent, TurnRequest, Usage, adapter};
use wtt_connect::config::{Limits, Mode};
use wtt_connect::secret::Secret;

/// Less than what a turn would last that waits for something by mistake: the limits of the bench, the sleeps of the agents. How
/// long each rung of the ladder takes stands in its table.
const PROMPT: Duration = Duration::from_secs(10);
/// Less than the shortest ladder.
const AT_ONCE: Duration = Duration::from_millis(1900);

/// For an agent that says so much that a busy machine needs its time to read it.
const LONG: Duration = Duration::from_secs(300);

const THREAD: &str = "01a201fc-49a6-73b2-93a6-9a4fe7056111";

/// A turn to be run in a directory of its own.
struct Bench {
    dir: tempfile::TempDir,
    spec: &'static AdapterSpec,
    command: Vec<String>,
    limits: Limits,
    request: TurnRequest,
    usage_before: Option<Usage>,
    env: std::collections::BTreeMap<String, Secret>,
    control: (Sender<Control>, Receiver<Control>),
}

/// What came of it.
struct Ran {
    report: TurnReport,
    events: Vec<AgentEvent>,
    /// Since the beginning, or since the stop.
    took: Watch,
}

fn agents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents")
}

/// A turn of the fake agent of that name.
fn bench(agent: &str) -> Bench {
    can_be_interrupted();
    let dir = tempfile::tempdir().unwrap();
    let script = agents().join(format!("{agent}.sh"));
    assert!(script.exists());
    Bench {
        request: TurnRequest {
            prompt: "hello".to_owned(),
            fresh_prompt: None,
            workdir: dir.path().to_owned(),
            model: None,
            effort: None,
            mode: Mode::FullAuto,
            resume: None,
            images: Vec::new(),
            transport: None,
            is_slash_command: false,
        },
        dir,
        spec: adapters::find("codex").unwrap(),
        command: vec!["/bin/sh".to_owned(), script.to_str().unwrap().to_owned()],
        limits: Limits {
            first_event: Duration::from_secs(20),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(30),
        },
        usage_before: None,
        env: std::collections::BTreeMap::new(),
        control: unbounded(),
    }
}

impl Bench {
    fn run(&self) -> Ran {
        self.run_with(&mut |_| {})
    }

    fn run_with(&self, on: &mut dyn FnMut(&AgentEvent)) -> Ran {
        let runner = Runner {
            env: &self.env,
            spec: self.spec,
            command: &self.command,
            limits: self.limits,
            owner: "tests:runner",
            control: &self.control.1,
            steers: &crossbeam_channel::never(),
            usage_before: self.usage_before,
            opened_at: None,
            keep_process: None,
            policy: &wtt_connect::agent::permission::ModePolicy { can_ask_people: false },
        };
        let took = Watch::start();
        let mut events = Vec::new();
        let report = runner::run(&runner, &self.request, &mut |progress| {
            if let RunnerEvent::Agent(event) = progress {
                on(&event);
                events.push(event);
            }
        });
        Ran { report, events, took }
    }

    /// Sends a control as soon as the agent has said something.
    fn stop_when_it_speaks(&self, control: Control) -> Ran {
        let mut stopped = None;
        let ran = self.run_with(&mut |event| {
            if matches!(event, AgentEvent::Text(_)) {
                stopped = Some(Watch::start());
                self.control.0.send(control.clone()).unwrap();
            }
        });
        Ran { took: stopped.unwrap(), ..ran }
    }

    fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.path().join(name)).unwrap_or_default()).into_owned()
    }

    /// Process ids that the agent wrote down.
    fn pids(&self, name: &str) -> Vec<u32> {
        self.file(name).lines().map(|line| line.trim().parse().unwrap()).collect()
    }

    fn assert_all_gone(&self, count: usize) {
        let pids = self.pids("pids");
        assert_eq!(pids.len(), count, "{pids:?}");
        // one that was killed a moment ago may still be on its way out on a loaded machine
        until(&format!("the end of all of {pids:?}"), || !pids.iter().any(|pid| lives(*pid)));
    }
}

/// Whether a process exists and is no zombie.
fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn kill(pid: u32) {
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
}

fn done(text: &str) -> AgentOutcome {
    AgentOutcome::Done(text.to_owned())
}

fn failure(report: &TurnReport) -> (&Reason, &str, &str) {
    match &report.outcome {
        AgentOutcome::Failed { reason, detail, partial } => (reason, detail, partial),
        other => panic!("expected a failure: {other:?}"),
    }
}

/// Runs the body of a test in a child process of this test binary. `true` inside the child.
fn in_child(test: &str, set_up: impl FnOnce(&mut Command)) -> bool {
    const FLAG: &str = "WTT_TEST_CHILD";
    if std::env::var(FLAG).is_ok_and(|name| name == test) {
        return true;
    }
    let mut cmd = Command::new(std::env::current_exe().unwrap());
    cmd.args(["--exact", &format!("adapters::{test}"), "--nocapture", "--test-threads=1"]).env(FLAG, test);
    set_up(&mut cmd);
    let out = cmd.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "in the child:\n{said}");
    assert!(said.contains("1 passed"), "the child must have run the test:\n{said}");
    false
}

#[test]
fn a_turn_from_prompt_to_answer() {
    let mut bench = bench("ok");
    bench.usage_before = Some(Usage { input: 999, cached: 0, output: 0 });
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("got 5 bytes"));
    assert_eq!(ran.report.session.as_deref(), Some(THREAD));
    let total = Usage { input: 320, cached: 30, output: 60 };
    assert_eq!(ran.report.usage_total, Some(total));
    assert_eq!(ran.report.usage, Some(total), "a new thread owes nothing to an old one");
    let want = [
        AgentEvent::Session(THREAD.to_owned()),
        AgentEvent::Started,
        AgentEvent::Text("got 5 bytes".to_owned()),
    ];
    assert_eq!(ran.events, want);
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
}

#[test]
fn tokens_of_a_resumed_thread_are_counted_once() {
    let mut bench = bench("ok");
    bench.request.resume = Some(THREAD.to_owned());
    bench.usage_before = Some(Usage { input: 211, cached: 20, output: 40 });
    assert_eq!(bench.run().report.usage, Some(Usage { input: 109, cached: 10, output: 20 }));
}

#[test]
fn a_program_that_cannot_be_executed_has_its_reason() {
    let mut bench = bench("ok");
    bench.request.resume = Some(THREAD.to_owned());
    let file = bench.dir.path().join("agent");
    let agent = file.to_str().unwrap().to_owned();

    bench.command = vec![agent.clone()];
    let ran = bench.run();
    assert_eq!(failure(&ran.report).0, &Reason::CliMissing);
    assert!(failure(&ran.report).1.contains(&agent));
    assert_eq!(ran.report.session.as_deref(), Some(THREAD), "the session is not lost with the program");

    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    assert_eq!(failure(&bench.run().report).0, &Reason::CliMissing, "not executable");

    program(&file, b"\x7fELF\x02\x01\x01 of another machine");
    let report = bench.run().report;
    assert_eq!(failure(&report).0, &Reason::CliUnsupported, "{report:?}");

    program(&file, b"#!/no/such/interpreter\n");
    let report = bench.run().report;
    assert_eq!(failure(&report).0, &Reason::CliMissing, "{report:?}");
}

#[test]
fn workdir_missing_or_a_file() {
    let mut bench = bench("ok");
    bench.request.workdir = bench.dir.path().join("nowhere");
    let report = bench.run().report;
    assert_eq!(failure(&report).0, &Reason::WorkdirUnusable);
    assert!(failure(&report).1.contains("nowhere"));
    bench.request.workdir = agents().join("ok.sh");
    assert_eq!(failure(&bench.run().report).0, &Reason::WorkdirUnusable);
}

#[test]
fn an_agent_that_ignores_signals_is_killed() {
    let bench = bench("deaf");
    let ran = bench.stop_when_it_speaks(Control::Cancel);
    assert_eq!(ran.report.outcome, AgentOutcome::Cancelled { partial: "half an answer".to_owned() });
    assert_eq!(ran.report.session.as_deref(), Some(THREAD), "the next message resumes");
    let (passed, counted) = (ran.took.passed(), ran.took.counted());
    assert!(passed >= Duration::from_secs(2) && counted < PROMPT, "{passed:?}, {counted:?}");
    bench.assert_all_gone(1);
}

/// Whatever the agent is and however it is spoken to. That the ladder takes less than three seconds is tested beside its table:
/// here so many end at once that a busy machine needs more.
#[test]
fn every_adapter_can_be_cancelled() {
    let stop = |spec: &'static AdapterSpec, transport: &str| {
        let mut bench = bench("never");
        (bench.spec, bench.request.transport) = (spec, Some(transport.to_owned()));
        let (control, pids) = (bench.control.0.clone(), bench.dir.path().join("pids"));
        let asker = std::thread::spawn(move || {
            let count = || std::fs::read_to_string(&pids).unwrap_or_default().matches('\n').count();
            until("the agent and its tool", || count() == 2);
            let took = Watch::start();
            control.send(Control::Cancel).unwrap();
            took
        });
        let ran = bench.run();
        let took = asker.join().unwrap().counted();
        let name = spec.name;
        assert!(
            matches!(ran.report.outcome, AgentOutcome::Cancelled { .. }),
            "{name}: {:?}",
            ran.report.outcome
        );
        bench.assert_all_gone(2);
        took
    };
    std::thread::scope(|scope| {
        for spec in adapters::ADAPTERS {
            let two_way = match spec.name {
                "codex" => "app-server",
                "claude-code" => "stream",
                "pi" => "rpc",
                _ => "acp",
            };
            for transport in ["one-shot", two_way] {
                scope.spawn(move || {
                    let took = stop(spec, transport);
                    println!("{} {transport}: {took:.1?}", spec.name);
                    assert!(took < PROMPT, "{} {transport}: {took:?}", spec.name);
                });
            }
        }
    });
}

#[test]
fn a_kill_request_does_not_wait() {
    let bench = bench("deaf");
    let ran = bench.stop_when_it_speaks(Control::Kill);
    assert!(matches!(ran.report.outcome, AgentOutcome::Cancelled { .. }));
    assert!(ran.took.counted() < AT_ONCE, "{:?}", ran.took.counted());
    bench.assert_all_gone(1);
}

#[test]
fn a_harder_request_shortens_the_termination() {
    let bench = bench("deaf");
    let ran = bench.run_with(&mut |event| {
        if matches!(event, AgentEvent::Text(_)) {
            for control in [Control::Cancel, Control::Cancel, Control::Shutdown, Control::Kill] {
                bench.control.0.send(control).unwrap();
            }
        }
    });
    assert!(matches!(ran.report.outcome, AgentOutcome::Cancelled { .. }));
    assert!(ran.took.counted() < AT_ONCE, "{:?}", ran.took.counted());
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hold_the_turn() {
    let bench = bench("orphan");
    let ran = bench.run();
    assert_eq!(failure(&ran.report).0, &Reason::NoOutput);
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
    bench.assert_all_gone(1);
}

#[test]
fn only_detached_processes_survive_a_normal_end() {
    let bench = bench("background");
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("left some behind"));
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
    bench.assert_all_gone(2);
    let detached = bench.pids("detached");
    assert!(lives(detached[0]), "a server that the agent started in a session of its own goes on");
    kill(detached[0]);
}

#[test]
fn a_cancel_ends_every_descendant() {
    let bench = bench("scatter");
    let ran = bench.stop_when_it_speaks(Control::Cancel);
    assert_eq!(ran.report.outcome, AgentOutcome::Cancelled { partial: "scattered".to_owned() });
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
    bench.assert_all_gone(4);
}

#[test]
fn malformed_lines_do_not_fail_the_turn() {
    let bench = bench("nasty_lines");
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("still \u{fffd} here"));
    assert!(ran.events.contains(&AgentEvent::Note("skipped a line of 5000000 bytes: too long".to_owned())));
    assert!(ran.events.contains(&AgentEvent::Started), "CRLF");
}

#[test]
fn a_flood_of_output_does_not_fail_the_turn() {
    let mut bench = bench("chatty");
    (bench.limits.idle, bench.limits.total) = (LONG, LONG);
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("after the flood"));
    assert!(ran.events.len() < 20, "{} events", ran.events.len());
}

#[test]
#[cfg(target_os = "linux")]
fn a_line_of_200_mib_takes_no_memory() {
    if !in_child("a_line_of_200_mib_takes_no_memory", |_| {}) {
        return;
    }
    let memory = |key: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    assert_eq!(bench("ok").run().report.outcome, done("got 5 bytes"), "warm up");
    let before = memory("VmRSS");
    let mut bench = bench("huge_line");
    (bench.limits.idle, bench.limits.total) = (LONG, LONG);
    let ran = bench.run();
    let (peak, after) = (memory("VmHWM"), memory("VmRSS"));
    println!("before {before} kB, peak {peak} kB, after {after} kB, {:?}", ran.took.counted());
    assert_eq!(ran.report.outcome, done("after the long line"));
    assert!(peak < before + 2048, "grew from {before} to {peak} kB");
}

#[test]
fn an_agent_that_never_reads_its_prompt_times_out() {
    let mut bench = bench("silent");
    bench.spec = adapters::find("claude-code").unwrap();
    bench.request.prompt = "x".repeat(4 << 20);
    bench.limits.first_event = Duration::from_millis(300);
    let ran = bench.run();
    assert_eq!(failure(&ran.report), (&Reason::FirstEventTimeout, "300ms", ""));
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
    bench.assert_all_gone(1);
}

#[test]
fn every_way_to_exit_has_its_reason() {
    let cases = [
        ("code0", Reason::NoOutput, "", ""),
        ("code0-text", Reason::SilentExit(0), "", "nearly"),
        ("code3", Reason::SilentExit(3), "", ""),
        ("code3-stderr", Reason::SilentExit(3), "something odd happened", ""),
        ("code3-text", Reason::SilentExit(3), "", "nearly"),
        ("kill9", Reason::Killed(9), "", ""),
        ("segv", Reason::Killed(11), "", ""),
        ("code137", Reason::Killed(9), "", ""),
        ("login", Reason::NotLoggedIn, "Not logged in", ""),
        ("plain", Reason::CliUnsupported, "unexpected argument '--json' found", ""),
        ("failed", Reason::RateLimited, "exceeded retry limit, last status: 429 Too Many Requests", ""),
    ];
    for (how, reason, detail, partial) in cases {
        let mut bench = bench("exits");
        bench.request.prompt = format!("{how}\n");
        let ran = bench.run();
        assert_eq!(failure(&ran.report), (&reason, detail, partial), "{how}");
        assert!(ran.took.counted() < PROMPT, "{how}: {:?}", ran.took.counted());
    }
}

#[test]
fn an_answer_in_the_pipe_is_read_even_if_the_hub_is_slow() {
    let mut bench = bench("ok");
    // what is still in the pipe when the agent has ended, made with a child that goes on writing
    let script = r#"cat >/dev/null; . "$0"; agent=$$
        (until grep -q ") Z" /proc/$agent/stat; do sleep 0.02; done; started; say half; until [ -e go ]; do sleep 0.02; done; answer whole; echo >told) 2>/dev/null &
        exit 0"#;
    let lib = agents().join("lib.sh").to_str().unwrap().to_owned();
    bench.command = ["/bin/sh", "-c", script, &lib].map(str::to_owned).to_vec();
    let (_keep, never) = crossbeam_channel::bounded::<()>(0);
    let ran = bench.run_with(&mut |event| {
        if *event == AgentEvent::Text("half".to_owned()) {
            std::fs::write(bench.dir.path().join("go"), "").unwrap();
            until("the answer in the pipe", || bench.dir.path().join("told").exists());
            // a disk that makes the hub wait
            let _ = never.recv_timeout(Duration::from_millis(600));
        }
    });
    assert_eq!(ran.report.outcome, done("whole"));
}

#[test]
fn a_stale_session_is_replaced_once_and_reported() {
    let mut bench = bench("stale");
    bench.request.resume = Some("01a201fc-0000-7000-8000-000000000000".to_owned());
    bench.usage_before = Some(Usage { input: 300, cached: 0, output: 0 });
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("fresh"));
    assert_eq!(ran.report.session.as_deref(), Some(THREAD));
    assert_eq!(ran.report.usage.map(|u| u.input), Some(320), "nothing of the old thread is subtracted");
    let fresh = ran
        .events
        .iter()
        .filter(|e| matches!(e, AgentEvent::FreshSession(why) if why.contains("no rollout")));
    assert_eq!(fresh.count(), 1, "{:?}", ran.events);
}

#[test]
fn a_cancel_between_two_attempts_is_not_lost() {
    let mut bench = bench("stale");
    bench.request.resume = Some("01a201fc-0000-7000-8000-000000000000".to_owned());
    // it says so itself and lingers, as claude does; the second attempt would answer
    let lingers = r#"case " $* " in *" resume "*) ;; *) exec /bin/sh "$0" ;; esac
        echo '{"type":"turn.failed","error":{"message":"no rollout found for thread id 0"}}'; echo >said; exec sleep 20"#;
    let ok = agents().join("ok.sh").to_str().unwrap().to_owned();
    bench.command = ["/bin/sh", "-c", lingers, &ok].map(str::to_owned).to_vec();
    let (said, stop) = (bench.dir.path().join("said"), bench.control.0.clone());
    let user = std::thread::spawn(move || {
        until("the verdict", || said.exists());
        stop.send(Control::Cancel).unwrap();
    });
    let ran = bench.run();
    user.join().unwrap();
    assert!(matches!(ran.report.outcome, AgentOutcome::Cancelled { .. }), "{:?}", ran.report);
    assert_eq!(ran.report.session, bench.request.resume);
}

#[test]
fn an_invalid_session_id_never_reaches_the_command_line() {
    let mut bench = bench("recorder");
    bench.request.resume = Some("--last".to_owned());
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("recorded"));
    assert!(!bench.file("args").contains("--last"));
    assert!(ran.events.iter().any(|e| matches!(e, AgentEvent::FreshSession(_))));
}

#[test]
fn a_turn_cancelled_before_its_start_is_never_started() {
    let bench = bench("recorder");
    bench.control.0.send(Control::Cancel).unwrap();
    assert_eq!(bench.run().report.outcome, AgentOutcome::Cancelled { partial: String::new() });
    assert_eq!(bench.file("args"), "", "it was never started");
}

#[test]
fn a_cancel_after_the_answer_keeps_the_answer() {
    let bench = bench("lingers");
    let ran = bench.stop_when_it_speaks(Control::Cancel);
    // The request may be seen before or after the final line: then it is the partial text or the answer.
    match &ran.report.outcome {
        AgentOutcome::Done(text) | AgentOutcome::Cancelled { partial: text } => {
            assert_eq!(text, "the answer")
        }
        other => panic!("{other:?}"),
    }
    bench.assert_all_gone(1);
}

#[test]
fn a_turn_without_a_control_sender_still_ends() {
    let mut bench = bench("ok");
    bench.control.0 = unbounded().0; // the only sender is gone
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("got 5 bytes"));
}

#[test]
fn an_interrupted_agent_ends_politely() {
    for control in [Control::Cancel, Control::Shutdown] {
        let bench = bench("slow");
        let ran = bench.stop_when_it_speaks(control);
        assert_eq!(ran.report.outcome, AgentOutcome::Cancelled { partial: "half an answer".to_owned() });
        assert!(ran.took.counted() < PROMPT, "SIGINT is enough: {:?}", ran.took.counted());
        bench.assert_all_gone(1);
    }
}

#[test]
fn a_lingering_agent_is_ended_after_its_answer() {
    let bench = bench("lingers");
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("the answer"));
    assert!(ran.took.counted() < PROMPT, "{:?}", ran.took.counted());
    bench.assert_all_gone(1);
}

#[test]
fn each_time_limit_is_named() {
    // within it a shell starts and says its two lines
    let short = Duration::from_secs(1);
    let mut idle = bench("slow");
    idle.limits.idle = short;
    let ran = idle.run();
    assert_eq!(failure(&ran.report), (&Reason::IdleTimeout, "1s", "half an answer"));
    assert_eq!(ran.report.session.as_deref(), Some(THREAD), "the session is kept");
    idle.assert_all_gone(1);

    let mut total = bench("slow");
    total.limits.total = short;
    assert_eq!(failure(&total.run().report), (&Reason::TotalTimeout, "1s", "half an answer"));

    let mut garbage = bench("babble");
    garbage.limits.first_event = short;
    assert_eq!(failure(&garbage.run().report).0, &Reason::FirstEventTimeout, "garbage is no sign of life");
    garbage.assert_all_gone(1);
}

#[test]
fn a_running_tool_may_be_silent() {
    let mut bench = bench("silent_tool");
    bench.limits.idle = Duration::from_millis(300);
    assert_eq!(bench.run().report.outcome, done("built"));
}

#[test]
fn an_error_before_the_silence_is_the_reason() {
    let mut bench = bench("waiting");
    bench.limits.idle = Duration::from_millis(300);
    let ran = bench.run();
    assert_eq!(failure(&ran.report).0, &Reason::Network);
    assert!(failure(&ran.report).1.contains("300ms"));
}

#[test]
fn a_panic_during_a_turn_leaves_nothing_running() {
    let bench = bench("scatter");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bench.run_with(&mut |event| assert!(!matches!(event, AgentEvent::Text(_)), "this panic is wanted"));
    }));
    assert!(panicked.is_err());
    bench.assert_all_gone(4);
}

#[test]
#[cfg(target_os = "linux")]
fn without_descriptors_a_turn_fails_and_the_next_recovers() {
    if !in_child("without_descriptors_a_turn_fails_and_the_next_recovers", |cmd| {
        let limited = "ulimit -n 64; exec \"$0\" \"$@\"";
        let exe = cmd.get_program().to_owned();
        let args: Vec<_> = cmd.get_args().map(ToOwned::to_owned).collect();
        let envs: Vec<_> = cmd.get_envs().map(|(k, v)| (k.to_owned(), v.unwrap().to_owned())).collect();
        *cmd = Command::new("/bin/sh");
        cmd.args(["-c", limited]).arg(exe).args(args).envs(envs);
    }) {
        return;
    }
    let bench = bench("ok");
    let mut held = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        held.push(file);
    }
    let report = bench.run().report;
    let (reason, detail, _) = failure(&report);
    assert_eq!(reason, &Reason::Internal, "{detail}");
    assert!(detail.contains("busy"), "{detail}");
    drop(held);
    assert_eq!(bench.run().report.outcome, done("got 5 bytes"), "it recovers");
}

#[test]
#[cfg(target_os = "linux")]
fn many_turns_leak_no_threads_or_descriptors() {
    if !in_child("many_turns_leak_no_threads_or_descriptors", |_| {}) {
        return;
    }
    let entries = |dir: &str| std::fs::read_dir(dir).unwrap().count();
    let bench = bench("ok");
    assert_eq!(bench.run().report.outcome, done("got 5 bytes"));
    // Helper threads end on their own, with the pipes that they read; all but those of the test harness.
    let settled = |what: &str, at_most: usize| {
        until(&format!("at most {at_most} entries in {what}"), || entries(what) <= at_most);
    };
    settled("/proc/self/task", 3);
    let descriptors = entries("/proc/self/fd");
    for _ in 0..60 {
        assert_eq!(bench.run().report.outcome, done("got 5 bytes"));
    }
    settled("/proc/self/task", 3);
    settled("/proc/self/fd", descriptors);
}

#[test]
fn prompts_arrive_unchanged() {
    for prompt in ["--help", "-", "a\0b\n\n", "ä\r\n", &"p".repeat(200 << 10)] {
        let mut bench = bench("recorder");
        bench.request.prompt = prompt.to_owned();
        assert_eq!(bench.run().report.outcome, done("recorded"));
        assert!(bench.file("stdin") == prompt, "{:.40?}", prompt);
        assert_eq!(bench.file("args").lines().last(), Some("-"));
    }
}

#[test]
fn a_prompt_that_codex_would_refuse_is_refused_clearly() {
    let mut bench = bench("recorder");
    bench.request.prompt = "x".repeat((1 << 20) + 1);
    let report = bench.run().report;
    assert_eq!(failure(&report).0, &Reason::RefusedByPolicy);
    let sentence = wtt_connect::session::failure_text::sentence(
        failure(&report).0,
        wtt_connect::session::messages::Lang::En,
        "Codex",
        failure(&report).1,
    );
    assert!(sentence.contains("1048577 characters") && sentence.contains("1048576"), "{sentence}");
    assert_eq!(bench.file("args"), "", "it was never started");
}

#[test]
fn the_environment_of_an_agent_holds_no_secret() {
    let secrets = [
        "WTT_TOKEN",
        "WTT_AGENT_TOKEN",
        "WTT_HTTP_TOKEN",
        "WTT_CONNECT_STT_API_KEY",
        "WTT_CONNECT_TTS_API_KEY",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "RUST_LOG",
        "NODE_DEBUG",
        "DEBUG",
        "WTT_CONNECT_LOG",
    ];
    let set_up = |cmd: &mut Command| {
        cmd.envs(secrets.map(|name| (name, "CANARY-1234")))
            .env("WTT_CONNECT_STATE_DIR", "/kept")
            .env("PWD", "/wrong");
    };
    if !in_child("the_environment_of_an_agent_holds_no_secret", set_up) {
        return;
    }
    let bench = bench("recorder");
    assert_eq!(bench.run().report.outcome, done("recorded"));
    let environment = bench.file("environment");
    assert!(!environment.contains("CANARY"), "{environment}");
    assert!(environment.lines().any(|line| line == "WTT_CONNECT_STATE_DIR=/kept"));
    assert!(environment.lines().any(|line| line.starts_with("WTT_CONNECT_RUN_MARK=tests:runner:")));
    let here = bench.dir.path().canonicalize().unwrap();
    assert_eq!(Path::new(bench.file("directory").trim()).canonicalize().unwrap(), here);
    assert!(environment.lines().any(|line| line == format!("PWD={}", bench.dir.path().display())));
}

#[test]
fn a_session_id_that_we_choose_is_known_from_the_start() {
    let mut bench = bench("ok");
    bench.spec = &adapters::kimi::LEGACY;
    let script = "cat >/dev/null; echo \"$*\" >args; printf '{\"role\":\"assistant\",\"content\":\"hi\"}\\n'; exit $(cat code)";
    bench.command = ["/bin/sh", "-c", script, "kimi"].map(str::to_owned).to_vec();
    for (code, failed) in [("1", true), ("0", false)] {
        std::fs::write(bench.dir.path().join("code"), code).unwrap();
        let ran = bench.run();
        let id = ran.report.session.clone().unwrap();
        assert!(adapter::is_uuid(&id) && bench.file("args").contains(&format!("--session={id}")));
        assert_eq!(ran.events.first(), Some(&AgentEvent::Session(id)));
        assert_eq!(matches!(ran.report.outcome, AgentOutcome::Failed { .. }), failed);
    }
}

#[test]
fn a_prompt_that_exceeds_an_argument_is_refused_clearly() {
    let mut bench = bench("ok");
    bench.spec = adapters::find("kimi").unwrap();
    bench.request.prompt = "x".repeat(200_000);
    let ran = bench.run();
    let (reason, detail, _) = failure(&ran.report);
    assert_eq!(*reason, Reason::RefusedByPolicy);
    assert!(detail.contains("200000 bytes") && detail.contains("Send it as a file"), "{detail}");
    bench.request.prompt.truncate((128 << 10) - 16);
    let ran = bench.run();
    assert_ne!(
        *failure(&ran.report).0,
        Reason::RefusedByPolicy,
        "the longest that is let through can be started"
    );
    assert!(!matches!(failure(&ran.report).0, Reason::Internal | Reason::CliMissing), "{:?}", ran.report);
}

#[test]
fn gemini_gets_a_temporary_folder_that_ends_with_the_turn() {
    let mut bench = bench("gemini");
    bench.spec = adapters::find("gemini").unwrap();
    let home = tempfile::tempdir().unwrap();
    let theirs = |name: &str| home.path().join(".gemini").join(name);
    std::fs::create_dir(theirs("")).unwrap();
    let settings = "{ // theirs\n \"general\": { \"maxAttempts\": 9, \"vimMode\": true } }";
    std::fs::write(theirs("settings.json"), settings).unwrap();
    std::fs::write(theirs("oauth_creds.json"), "login").unwrap();
    std::fs::write(home.path().join(".env"), "variables").unwrap();
    bench.env.insert("HOME".to_owned(), Secret::new(home.path().to_str().unwrap()));
    let ran = bench.run();
    assert_eq!(ran.report.outcome, done("recorded"));
    assert_eq!(ran.report.session.as_deref(), Some(THREAD));
    let merged: serde_json::Value = serde_json::from_str(&bench.file("settings")).unwrap();
    let want = serde_json::json!({
        "maxAttempts": 3, "vimMode": true, "enableAutoUpdate": false, "sessionRetention": {"enabled": false}
    });
    assert_eq!(merged, serde_json::json!({ "general": want }));
    assert_eq!(bench.file("login"), "loginvariables", "the rest of the user's home is there");
    assert_eq!(std::fs::read_to_string(theirs("settings.json")).unwrap(), settings, "theirs is as it was");
    assert!(theirs("oauth_creds.json").is_file(), "links went, not what they led to");
    assert_eq!(std::fs::read_to_string(theirs("tmp/session")).unwrap(), "history\n", "sessions last");
    let modes = bench.file("modes");
    assert_eq!(modes.lines().filter(|line| line.starts_with("drwx------")).count(), 2, "{modes}");
    assert!(modes.lines().any(|line| line.starts_with("-rw-------")), "{modes}");
    assert!(!Path::new(&bench.file("folder")).exists(), "the conversation is gone with it");
    // A session whose first turn failed can never be resumed.
    bench.request.prompt = "fail".to_owned();
    assert_eq!(bench.run().report.session, None);
    bench.request.resume = Some(THREAD.to_owned());
    assert_eq!(bench.run().report.session.as_deref(), Some(THREAD), "one that has worked before can");
}

#[test]
#[cfg(target_os = "linux")]
fn leftovers_of_a_crashed_instance_are_swept() {
    const NAME: &str = "leftovers_of_a_crashed_instance_are_swept";
    if std::env::var("WTT_TEST_CHILD").is_ok_and(|name| name == NAME) {
        // The instance that crashes: dies by SIGABRT in the middle of a turn.
        let mut bench = bench("scatter");
        bench.request.workdir = std::env::current_dir().unwrap();
        let owner = std::env::var("WTT_TEST_OWNER").unwrap();
        let env = std::collections::BTreeMap::new();
        let runner = Runner {
            env: &env,
            spec: bench.spec,
            command: &bench.command,
            limits: bench.limits,
            owner: &owner,
            control: &bench.control.1,
            steers: &crossbeam_channel::never(),
            usage_before: None,
            opened_at: None,
            keep_process: None,
            policy: &wtt_connect::agent::permission::ModePolicy { can_ask_people: false },
        };
        runner::run(&runner, &bench.request, &mut |progress| {
            if matches!(progress, RunnerEvent::Agent(AgentEvent::Text(_))) {
                std::process::abort();
            }
        });
        unreachable!("it aborts when the agent speaks");
    }
    let dir = tempfile::tempdir().unwrap();
    let prefix = format!("crash-test-{}", std::process::id());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("adapters::{NAME}"), "--nocapture", "--test-threads=1"])
        .env("WTT_TEST_CHILD", NAME)
        .env("WTT_TEST_OWNER", format!("{prefix}:old"))
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let pids: Vec<u32> = std::fs::read_to_string(dir.path().join("pids"))
        .unwrap()
        .lines()
        .map(|l| l.parse().unwrap())
        .collect();
    let marked = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|e| String::from_utf8_lossy(&e).contains(&prefix))
    };
    let (left, unmarked): (Vec<u32>, Vec<u32>) = pids.into_iter().partition(marked);
    // The one that cleared its environment cannot be told from a stranger once its parent is dead.
    unmarked.iter().filter(|pid| lives(**pid)).for_each(|pid| kill(*pid));
    assert!(left.len() >= 2, "the crash must leave something behind: {left:?}");
    assert_eq!(runner::sweep_left_over(&prefix, "old"), 0, "the own instance is spared");
    assert_eq!(runner::sweep_left_over("someone-else", "new"), 0);
    assert!(left.iter().all(|pid| lives(*pid)));
    assert!(runner::sweep_left_over(&prefix, "new") >= left.len());
    assert!(!left.iter().any(|pid| lives(*pid)));
    assert_eq!(runner::sweep_left_over(&prefix, "new"), 0);
}

#[test]
fn doctor_finds_version_and_login_without_a_turn() {
    let dir = tempfile::tempdir().unwrap();
    let fake = |name: &str, body: &str| -> Vec<String> {
        let file = dir.path().join(name);
        std::fs::write(&file, body).unwrap();
        vec!["/bin/sh".to_owned(), file.to_str().unwrap().to_owned()]
    };
    let recorded = |adapter: &str, case: &str, suffix: &str| {
        let file = format!("{}/tests/fixtures/{adapter}/{case}.{suffix}", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&file).exists(), "{file}");
        file
    };
    let look = |adapter: &str, version: &str, status: &str| {
        let body = format!("case $1 in --version) echo '{version}' ;; *) {status} ;; esac\n");
        probe(adapters::find(adapter).unwrap(), &fake("cli", &body), &BTreeMap::new())
    };
    let codex = |case: &str, code: i32| {
        let status = format!("cat '{}' >&2; exit {code}", recorded("codex", case, "stderr"));
        look("codex", "codex-cli 0.169.0", &status)
    };
    let known = codex("login-status-key", 0);
    assert_eq!(known.version.as_deref(), Some("codex-cli 0.169.0"));
    assert_eq!(known.login, Login::LoggedIn("API key".to_owned()));
    assert!(known.path.is_some() && known.problem.is_empty());
    assert_eq!(codex("login-status-none", 1).login, Login::LoggedOut);
    assert_eq!(look("codex", "0.1", "exit 2").login, Login::Unknown);

    let claude = |case: &str, code: i32| {
        let status = format!("cat '{}'; exit {code}", recorded("claude-code", case, "jsonl"));
        look("claude-code", "2.1.330 (Claude Code)", &status)
    };
    assert_eq!(claude("auth-status-key", 0).login, Login::LoggedIn("api key".to_owned()));
    assert_eq!(claude("auth-status-none", 1).login, Login::LoggedOut);
    assert_eq!(look("claude-code", "1.0", "echo rubbish").login, Login::Unknown);

    let codex = adapters::find("codex").unwrap();
    let broken = probe(codex, &fake("broken", "echo 'cannot find module' >&2; exit 1\n"), &BTreeMap::new());
    assert!(broken.problem.contains("cannot find module") && broken.version.is_none(), "{broken:?}");
    let missing = probe(codex, &["/no/such/codex".to_owned()], &BTreeMap::new());
    assert!(missing.path.is_none() && missing.problem.contains("/no/such/codex"), "{missing:?}");
}
