//! Kept agent processes, questions, and being asked to stop: the runner and its pool with a fake agent
//! (`tests/agents/stays.sh`) that serves turn after turn, and a small dialect for it.

mod daemon;

use crate::support::daemon::{is_alive, until};
use crate::support::watch::Watch;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use wtt_connect::agent::adapter::{AdapterSpec, Invocation};
use wtt_connect::agent::dialect::{Dialect, DialectEffects, Exit};
use wtt_connect::agent::outcome::{AgentOutcome, Reason, TurnReport};
use wtt_connect::agent::permission::{Decision, PermissionKind, PermissionRequest};
use wtt_connect::agent::pool::Pool;
use wtt_connect::agent::runner;
use wtt_connect::agent::runner::{Control, KeepProcess, Runner, RunnerEvent, SteerOutcome, SteeringMessage};
use wtt_connect::agent::{AgentEvent, PromptImage, TurnRequest};
use wtt_connect::config::{Limits, Mode};

/// `session ID`, `started`, `text T`, `done T`, `fail T`, `ask ID T`, `withdraw ID`; stdin: prompts, `answer yes`, `cancel`.
struct Lines {
    prompt: String,
    said: String,
    /// How it is asked to stop: not at all, or with a word.
    cancel: Option<String>,
}

impl Dialect for Lines {
    fn start(&mut self, effects: &mut DialectEffects) {
        effects.stdin.push(format!("{}\n", self.prompt));
    }
    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let text = rest.to_owned();
        effects.is_sign_of_life = true;
        match word {
            "session" => effects.events.push(AgentEvent::Session(text)),
            "started" => effects.events.push(AgentEvent::Started),
            "text" => {
                self.said.push_str(rest);
                effects.events.push(AgentEvent::Text(text));
            }
            "done" => effects.outcome = Some(AgentOutcome::Done(text)),
            "fail" | "login" => {
                let reason = if word == "fail" { Reason::ProviderError } else { Reason::NotLoggedIn };
                effects.outcome = Some(AgentOutcome::Failed { reason, detail: text, partial: String::new() });
            }
            "ask" => {
                let (id, title) = rest.split_once(' ').unwrap();
                effects.permission_requests.push(PermissionRequest {
                    id: id.to_owned(),
                    kind: PermissionKind::Command,
                    tool: "Shell".to_owned(),
                    title: title.to_owned(),
                    detail: String::new(),
                    subjects: Vec::new(),
                    can_allow_session: false,
                    choices: Vec::new(),
                    answer_count: 1,
                });
            }
            "withdraw" => effects.withdrawn_requests.push(text),
            _ => effects.is_sign_of_life = false,
        }
    }
    fn on_exit(&mut self, exit: Exit, _stderr: &str, effects: &mut DialectEffects) {
        let code = if let Exit::Code(code) = exit { code } else { -1 };
        let (reason, partial) = (Reason::SilentExit(code), self.partial_text());
        effects.outcome = Some(AgentOutcome::Failed { reason, detail: String::new(), partial });
    }
    fn partial_text(&self) -> String {
        self.said.clone()
    }
    fn keeps_process(&self) -> bool {
        true
    }
    fn next_turn(&mut self, request: &TurnRequest, effects: &mut DialectEffects) {
        (self.prompt, self.said) = (request.prompt.clone(), String::new());
        self.start(effects);
    }
    fn cancel(&mut self, effects: &mut DialectEffects) -> bool {
        effects.stdin.extend(self.cancel.as_ref().map(|word| format!("{word}\n")));
        self.cancel.is_some()
    }
    fn answer(&mut self, id: &str, decision: &Decision, effects: &mut DialectEffects) {
        let word = match decision {
            Decision::Allow => "yes".to_owned(),
            Decision::Answer(text) => text.clone(),
            _ => "no".to_owned(),
        };
        effects.stdin.push(format!("{id} {word}\n"));
    }
    fn steer(&mut self, text: &str, effects: &mut DialectEffects) -> bool {
        effects.stdin.push(format!("{text}\n"));
        text != "not this"
    }
}

static SPEC: AdapterSpec = AdapterSpec {
    name: "lines",
    title: "Lines",
    aliases: &[],
    programs: &[],
    install_hint: "",
    login_hint: "",
    session_key: "linesSession",
    launcher: None,
    login_query: None,
    modes: &[],
    flavor: None,
    discontinued: None,
    image_data: true,
    post_turn_query: None,
    invoke: |request, _| Invocation {
        args: request.resume.iter().map(Into::into).collect(),
        ..Invocation::default()
    },
    dialect: |request| {
        let image = request.images.first().and_then(|image| image.data.as_ref());
        let prompt = image.map_or_else(|| request.prompt.clone(), |data| format!("answer {data}"));
        Box::new(Lines { prompt, said: String::new(), cancel: request.model.clone() })
    },
};

/// A daemon's worth of sessions in one directory.
struct Bench {
    dir: tempfile::TempDir,
    pool: Pool,
    mode: Mode,
    model: Option<String>,
    limits: Limits,
    people: bool,
    images: Vec<PromptImage>,
    owner: String,
    control: (Sender<Control>, Receiver<Control>),
    steers: (Sender<SteeringMessage>, Receiver<SteeringMessage>),
}

const LONG: Duration = Duration::from_secs(60);

fn bench(idle: Duration, max: usize) -> Bench {
    crate::support::program::can_be_interrupted();
    Bench {
        dir: tempfile::tempdir().unwrap(),
        pool: Pool::new(idle, max),
        mode: Mode::FullAuto,
        model: None,
        limits: Limits { first_event: LONG, idle: LONG, total: LONG },
        people: false,
        images: Vec::new(),
        owner: "tests:keeping".to_owned(),
        control: unbounded(),
        steers: unbounded(),
    }
}

impl Bench {
    fn turn_with(
        &self,
        session: &str,
        resume: Option<&TurnReport>,
        prompt: &str,
        on: &mut dyn FnMut(&RunnerEvent),
    ) -> TurnReport {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/stays.sh");
        let env = std::collections::BTreeMap::new();
        let request = TurnRequest {
            prompt: prompt.to_owned(),
            fresh_prompt: None,
            workdir: self.dir.path().to_owned(),
            model: self.model.clone(),
            effort: None,
            mode: self.mode,
            resume: resume.map(|report| report.session.clone().unwrap()),
            images: self.images.clone(),
            transport: None,
            is_slash_command: false,
        };
        let runner = Runner {
            spec: &SPEC,
            command: &["/bin/sh".to_owned(), script.to_str().unwrap().to_owned()],
            env: &env,
            limits: self.limits,
            owner: &self.owner,
            control: &self.control.1,
            steers: &self.steers.1,
            usage_before: None,
            opened_at: None,
            keep_process: Some(KeepProcess { pool: &self.pool, session }),
            policy: &wtt_connect::agent::permission::ModePolicy { can_ask_people: self.people },
        };
        runner::run(&runner, &request, &mut |progress| {
            assert!(!matches!(progress, RunnerEvent::Agent(AgentEvent::FreshSession(_))), "{progress:?}");
            on(&progress);
        })
    }

    fn turn(&self, session: &str, resume: Option<&TurnReport>, prompt: &str) -> TurnReport {
        self.turn_with(session, resume, prompt, &mut |_| {})
    }

    /// Stops the turn when it has said something. How long that took.
    fn stopped(&self, resume: &TurnReport, prompt: &str) -> (TurnReport, Watch) {
        let mut at = Watch::start();
        let report = self.turn_with("a", Some(resume), prompt, &mut |progress| {
            if matches!(progress, RunnerEvent::Agent(AgentEvent::Text(_))) {
                at = Watch::start();
                self.control.0.send(Control::Cancel).unwrap();
            }
        });
        (report, at)
    }

    /// Process ids, or other lines that the agent wrote.
    fn file(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Closes the pool as a shutdown does; nothing that ever ran is left.
    fn close(self) -> Vec<String> {
        self.pool.close();
        assert!(self.pool.wait(LONG) && self.pool.is_empty());
        let pids = self.file("pids");
        assert!(!pids.iter().any(|pid| is_alive(pid)));
        self.file("ended")
    }
}

fn done(text: &str) -> AgentOutcome {
    AgentOutcome::Done(text.to_owned())
}

#[test]
fn two_turns_are_served_by_one_process() {
    let bench = bench(LONG, 4);
    let first = bench.turn("a", None, "answer one");
    assert_eq!(first.outcome, done("one"));
    assert_eq!(bench.pool.len(), 1);
    let second = bench.turn("a", Some(&first), "answer \"$$\"");
    let pids = bench.file("pids");
    assert_eq!(second.outcome, done(&pids[0]));
    assert_eq!((pids.len(), &second.session), (1, &first.session));
    let failed = bench.turn("a", Some(&first), "echo fail busy");
    assert!(matches!(failed.outcome, AgentOutcome::Failed { reason: Reason::ProviderError, .. }));
    assert_eq!(bench.turn("a", Some(&first), "answer four").outcome, done("four"), "a plain failure");
    assert_eq!(bench.close(), pids, "it has ended by itself when its input ended");
}

#[test]
fn a_process_that_does_not_match_is_replaced_before_the_turn() {
    let mut bench = bench(LONG, 4);
    let first = bench.turn("a", None, "answer one");
    let alone = "kill -0 $(head -1 pids) 2>/dev/null && answer both || answer alone";
    bench.mode = Mode::Suggest;
    assert_eq!(bench.turn("a", Some(&first), alone).outcome, done("alone"), "another mode");
    let fresh = bench.turn("a", None, "answer \"$#\"");
    assert_eq!(fresh.outcome, done("0"), "a fresh session is a new process");
    assert_ne!(fresh.session, first.session);
    assert_eq!(bench.turn("b", None, "answer \"$#\"").outcome, done("0"), "another topic");
    assert_eq!((bench.pool.len(), bench.file("pids").len()), (2, 4));
    let out = bench.turn("b", Some(&bench.turn("b", None, "answer x")), "echo login please");
    assert!(matches!(out.outcome, AgentOutcome::Failed { reason: Reason::NotLoggedIn, .. }));
    assert_eq!(bench.pool.len(), 1, "after a login a new process must look");
    bench.pool.forget("a");
    until("nothing kept", || bench.pool.is_empty());
    bench.close();
}

#[test]
fn without_an_idle_limit_nothing_is_kept() {
    let bench = bench(Duration::ZERO, 4);
    let first = bench.turn("a", None, "answer one");
    assert_eq!(bench.turn("a", Some(&first), "answer two").outcome, done("two"));
    assert_eq!(bench.file("ended").len(), 2, "each ended with its turn, politely");
    bench.close();
}

#[test]
fn the_idle_limit_ends_a_kept_process() {
    let bench = bench(Duration::from_millis(200), 4);
    let first = bench.turn("a", None, "answer one");
    until("its end", || bench.file("ended").len() == 1 && !is_alive(&bench.file("pids")[0]));
    assert_eq!(bench.turn("a", Some(&first), "answer \"$1\"").outcome, done(&first.session.clone().unwrap()));
    bench.close();
}

#[test]
fn the_least_recently_used_makes_room() {
    let bench = bench(LONG, 2);
    let [a, b] = ["a", "b"].map(|session| bench.turn(session, None, "answer one"));
    assert_eq!(bench.turn("a", Some(&a), "answer two").outcome, done("two"));
    let room = "kill -0 $(sed -n 2p pids) 2>/dev/null && answer none || answer room";
    assert_eq!(bench.turn("c", None, room).outcome, done("room"), "before the new one starts");
    assert_eq!(bench.pool.len(), 2);
    assert!(is_alive(&bench.file("pids")[0]), "a was used after b");
    assert_eq!(bench.turn("b", Some(&b), "answer \"$1\"").outcome, done(&b.session.clone().unwrap()));
    bench.close();
}

#[test]
fn a_kept_process_that_dies_is_replaced_silently() {
    let bench = bench(LONG, 4);
    let first = bench.turn("a", None, "answer one");
    Command::new("kill").args(["-9", &bench.file("pids")[0]]).status().unwrap();
    until("the idle watcher", || bench.pool.is_empty());
    let again = bench.turn("a", Some(&first), "answer \"$1\"");
    assert_eq!(again.outcome, done(&first.session.clone().unwrap()), "resumed");
    // it dies of the next prompt, before it has said anything
    std::fs::write(bench.dir.path().join("die"), "").unwrap();
    assert_eq!(bench.turn("a", Some(&first), "answer three").outcome, done("three"));
    assert_eq!(bench.file("pids").len(), 3);
    // once it has begun, its death is the turn's
    let report = bench.turn("a", Some(&first), "say half; exit 5");
    assert!(
        matches!(&report.outcome, AgentOutcome::Failed { reason: Reason::SilentExit(5), partial, .. } if partial == "half"),
        "{report:?}"
    );
    assert_eq!(bench.turn("a", Some(&first), "answer five").outcome, done("five"));
    bench.close();
}

#[test]
fn output_between_turns_belongs_to_no_turn() {
    let bench = bench(LONG, 4);
    // the second question is refused after everything before it was read
    let late = "answer one; say late; echo ask 7 rm; read -r got; echo done never; echo ask 8 rm; read -r more; echo \"$got $more\" >said";
    let first = bench.turn("a", None, late);
    until("its answer", || bench.file("said") == ["7 no 8 no"]);
    let mut texts = Vec::new();
    let second = bench.turn_with("a", Some(&first), "say two; answer two", &mut |progress| {
        if let RunnerEvent::Agent(AgentEvent::Text(text)) = progress {
            texts.push(text.clone());
        }
    });
    assert_eq!((second.outcome, texts), (done("two"), vec!["two".to_owned()]));
    bench.close();
}

#[test]
fn an_agent_is_asked_to_stop_before_it_is_signalled() {
    let mut bench = bench(LONG, 4);
    bench.model = Some("cancel".to_owned());
    let first = bench.turn("a", None, "answer one");
    let (report, took) = bench.stopped(&first, "say half; read -r word; echo $word >asked; answer stopped");
    assert_eq!(report.outcome, AgentOutcome::Cancelled { partial: "half".to_owned() });
    // a machine that stands still may leave it no time to do so
    if took.passed() < Duration::from_millis(1400) {
        assert_eq!((bench.file("asked"), bench.file("signals")), (vec!["cancel".to_owned()], vec![]));
    }
    assert!(took.counted() < Duration::from_millis(1400), "{:?}", took.counted());
    assert!(!is_alive(&bench.file("pids")[0]), "what was stopped does not stay");
    assert_eq!(bench.turn("a", Some(&report), "answer two").outcome, done("two"));
    assert_eq!(bench.file("pids").len(), 2);
    bench.close();
}

#[test]
fn an_agent_that_ignores_the_request_is_signalled() {
    let mut bench = bench(LONG, 4);
    bench.model = Some("cancel".to_owned());
    let first = bench.turn("a", None, "answer one");
    let waits = "trap 'echo term >>signals; exit 1' TERM; setsid sleep 300 & echo $! >>pids; say half; wait";
    let (report, took) = bench.stopped(&first, waits);
    assert_eq!(report.outcome, AgentOutcome::Cancelled { partial: "half".to_owned() });
    // the first that it has time to hear: on a busy machine it is killed before it hears any
    assert!(bench.file("signals").first().is_none_or(|first| first == "int"), "{:?}", bench.file("signals"));
    let (passed, counted) = (took.passed(), took.counted());
    assert!(
        passed >= Duration::from_millis(1500) && counted < Duration::from_secs(4),
        "{passed:?}, {counted:?}"
    );
    bench.close();
}

#[test]
#[cfg(target_os = "linux")]
fn a_kept_agent_has_no_tool_of_the_turn() {
    let bench = bench(LONG, 4);
    let first = bench.turn("a", None, "sleep 300 & echo $! >helper; answer one");
    // a tool in a group of its own, an orphan of one, a server that left on purpose
    let tools = "setsid sh -c 'echo $$ >tool; exec sleep 300' & (sleep 300 & echo $! >orphan); \
        (setsid sh -c 'echo $$ >server; exec sleep 300' &); sleep 300 & echo $! >own; \
        until [ -s tool ] && [ -s server ]; do sleep 0.01; done; answer two";
    let second = bench.turn("a", Some(&first), tools);
    assert_eq!(second.outcome, done("two"));
    let alive = |name: &str| is_alive(&bench.file(name)[0]);
    assert_eq!(["tool", "orphan"].map(alive), [false; 2], "when the turn is over, its tools are");
    assert_eq!(["helper", "own", "server", "pids"].map(alive), [true; 4]);
    let (report, _) = bench.stopped(&first, "say three; wait");
    assert!(matches!(report.outcome, AgentOutcome::Cancelled { .. }));
    assert_eq!(["helper", "own", "pids"].map(alive), [false; 3]);
    assert!(alive("server"), "a turn that is stopped takes nothing of an earlier one");
    Command::new("kill").args(["-9", &bench.file("server")[0]]).status().unwrap();
    bench.close();
}

#[test]
#[cfg(target_os = "linux")]
fn a_kept_process_that_ends_leaves_nothing() {
    let bench = bench(LONG, 4);
    bench.turn("a", None, "sleep 300 & echo $! >>pids; trap '' TERM; answer one; sleep 300");
    bench.turn("b", None, "answer one");
    let took = Watch::start();
    bench.close();
    assert!(took.counted() < Duration::from_secs(4), "{:?}", took.counted());
}

#[test]
fn a_question_is_answered_by_the_mode() {
    let mut bench = bench(LONG, 4);
    let ask = "echo ask 1 rm -rf x; read -r got; answer \"$got\"";
    assert_eq!(bench.turn("a", None, ask).outcome, done("1 yes"));
    bench.mode = Mode::Suggest;
    let mut denied = Vec::new();
    let report = bench.turn_with("b", None, ask, &mut |progress| {
        if let RunnerEvent::Agent(AgentEvent::Denied(title)) = progress {
            denied.push(title.clone());
        }
    });
    assert_eq!((report.outcome, denied), (done("1 no"), vec!["rm -rf x (the mode suggest)".to_owned()]));
    bench.close();
}

#[test]
fn waiting_for_people_does_not_count_as_idle() {
    let mut bench = bench(LONG, 4);
    (bench.mode, bench.people, bench.limits.idle) = (Mode::Suggest, true, Duration::from_millis(700));
    let (_keep, never) = unbounded::<()>();
    let control = bench.control.0.clone();
    let (asked, asks) = unbounded();
    let people = std::thread::spawn(move || {
        for decision in [Decision::Answer("go".to_owned()), Decision::Allow] {
            let id: String = asks.recv().unwrap();
            let _ = never.recv_timeout(Duration::from_millis(1000));
            control.send(Control::Answer { id: "unknown".to_owned(), decision: Decision::Allow }).unwrap();
            control.send(Control::Answer { id, decision }).unwrap();
        }
    });
    let mut withdrawn = Vec::new();
    let script = "echo ask 1 rm; read -r a; echo ask 2 mv; echo ask 3 cp; echo withdraw 2; read -r b; answer \"$a $b\"";
    let report = bench.turn_with("a", None, script, &mut |progress| match progress {
        RunnerEvent::PermissionRequested(ask, _) if ask.id != "2" => asked.send(ask.id.clone()).unwrap(),
        RunnerEvent::PermissionWithdrawn(id) => withdrawn.push(id.clone()),
        _ => {}
    });
    assert_eq!((report.outcome, withdrawn), (done("1 go 3 yes"), vec!["2".to_owned()]));
    people.join().unwrap();
    // the limit counts again
    let report = bench.turn("a", Some(&bench.turn("a", None, "answer x")), "say half; sleep 20");
    assert!(matches!(report.outcome, AgentOutcome::Failed { reason: Reason::IdleTimeout, .. }), "{report:?}");
    bench.close();
}

/// A further message for the running turn.
fn steer(bench: &Bench, id: &str, text: &str, interrupt: bool) {
    bench.steers.0.send(SteeringMessage { id: id.to_owned(), text: text.to_owned(), interrupt }).unwrap();
}

#[test]
fn a_message_reaches_the_running_turn() {
    let bench = bench(LONG, 4);
    let mut back = Vec::new();
    let report =
        bench.turn_with("a", None, "say x; read -r b; answer \"$b\"", &mut |progress| match progress {
            RunnerEvent::Agent(AgentEvent::Text(_)) => steer(&bench, "1", "but this", false),
            RunnerEvent::Steered { id, outcome: fate } => back.push((id.clone(), *fate)),
            _ => {}
        });
    assert_eq!((report.outcome, back), (done("but this"), vec![("1".to_owned(), SteerOutcome::Accepted)]));
    bench.close();
}

#[test]
fn an_agent_that_cannot_take_a_message_is_interrupted_and_continues_with_all() {
    let bench = bench(LONG, 4);
    for (text, interrupt) in [("not this", false), ("this", true)] {
        let mut back = Vec::new();
        let report =
            bench.turn_with("a", None, "say half; [ -e on ] || sleep 30", &mut |progress| match progress {
                RunnerEvent::Agent(AgentEvent::Text(said)) if said == "half" && back.is_empty() => {
                    steer(&bench, "1", text, interrupt);
                    steer(&bench, "2", "answer fine", interrupt);
                }
                RunnerEvent::Steered { id, outcome: fate } => {
                    std::fs::write(bench.dir.path().join("on"), "").unwrap();
                    back.push((id.clone(), *fate));
                }
                _ => {}
            });
        std::fs::remove_file(bench.dir.path().join("on")).unwrap();
        assert_eq!(report.outcome, done("fine"), "{text}");
        let both = ["1", "2"].map(|id| (id.to_owned(), SteerOutcome::Interrupting));
        assert_eq!(back, both, "{text}");
    }
    bench.close();
}

#[test]
fn a_stop_ends_a_turn_that_is_being_interrupted() {
    let bench = bench(LONG, 4);
    let mut fates = Vec::new();
    let report =
        bench.turn_with("a", None, "trap : INT; say half; while :; do sleep 0.1; done", &mut |progress| {
            match progress {
                RunnerEvent::Agent(AgentEvent::Text(_)) => steer(&bench, "1", "answer never", true),
                RunnerEvent::Steered { outcome: fate, .. } => {
                    fates.push(*fate);
                    bench.control.0.send(Control::Cancel).unwrap();
                }
                _ => {}
            }
        });
    assert!(matches!(report.outcome, AgentOutcome::Cancelled { .. }), "{report:?}");
    assert_eq!(fates, [SteerOutcome::Interrupting]);
    bench.close();
}

#[test]
fn a_message_before_the_start_is_part_of_the_prompt() {
    let bench = bench(LONG, 4);
    steer(&bench, "1", "answer second", false);
    let mut fates = Vec::new();
    let report = bench.turn_with("a", None, "say first", &mut |progress| {
        if let RunnerEvent::Steered { outcome: fate, .. } = progress {
            fates.push(*fate);
        }
    });
    assert_eq!((report.outcome, fates), (done("second"), vec![SteerOutcome::Accepted]));
    bench.close();
}

#[test]
fn images_are_read_for_agents_that_take_them_as_data() {
    let mut bench = bench(Duration::ZERO, 4);
    let path = bench.dir.path().join("image.png");
    let image =
        |path: &Path| PromptImage { path: path.to_owned(), media_type: "image/png".to_owned(), data: None };
    std::fs::write(&path, b"\x89PNG?").unwrap();
    bench.images = vec![image(&path)];
    assert_eq!(bench.turn("a", None, "answer path").outcome, done("iVBORz8="));
    std::fs::write(&path, vec![0; 4_000_000]).unwrap();
    assert_eq!(bench.turn("a", None, "answer path").outcome, done("path"), "too large");
    for odd in ["/dev/zero", "/no/such/image.png"] {
        bench.images = vec![image(Path::new(odd))];
        assert_eq!(bench.turn("a", None, "answer path").outcome, done("path"), "{odd}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_crash_of_the_daemon_the_kept_processes_are_found() {
    const NAME: &str = "after_a_crash_of_the_daemon_the_kept_processes_are_found";
    if std::env::var("WTT_TEST_CHILD").is_ok_and(|name| name == NAME) {
        let mut bench = bench(LONG, 4);
        bench.owner = std::env::var("WTT_TEST_OWNER").unwrap();
        let folder = std::env::current_dir().unwrap();
        // it does not end with its input
        let stays = format!("echo $$ >{}/pid; trap '' HUP TERM; answer one; sleep 300", folder.display());
        assert_eq!(bench.turn("a", None, &stays).outcome, done("one"));
        std::process::abort();
    }
    let dir = tempfile::tempdir().unwrap();
    let prefix = format!("kept-test-{}", std::process::id());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("keeping::{NAME}"), "--nocapture", "--test-threads=1"])
        .env("WTT_TEST_CHILD", NAME)
        .env("WTT_TEST_OWNER", format!("{prefix}:old"))
        .env("TMPDIR", dir.path())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    assert!(is_alive(pid.trim()));
    assert_eq!(runner::sweep_left_over(&prefix, "old"), 0, "the own instance is spared");
    assert!(runner::sweep_left_over(&prefix, "new") >= 1);
    assert!(!is_alive(pid.trim()));
}
