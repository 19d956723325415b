//! The dialects that talk both ways, played against recorded conversations (`fixtures/<folder>/<case>.jsonl`): `<-` is
//! what the real CLI said, `->` what we wrote then, `!` what the user or the mode did. All that we write must be the
//! same again, and `.events` holds what we make of the rest; `UPDATE_EXPECT=1` rewrites that.
//!
//! `record` makes new recordings from a real CLI; see `fixtures/README.md`.

mod odd;
mod wishes;

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wtt_connect::agent::adapter::LaunchContext;
use wtt_connect::agent::adapters;
use wtt_connect::agent::dialect::{Dialect, DialectEffects};
use wtt_connect::agent::permission::{Decision, PolicyVerdict, decide_by_mode};
use wtt_connect::agent::{AgentEvent, PromptImage, TurnRequest};
use wtt_connect::config::Mode;

/// A case: folder, name, adapter, mode, whether the transport is forced, and what happens.
type Case = (&'static str, &'static str, &'static str, Mode, Option<&'static str>, &'static [Act]);

#[derive(Debug, Clone, Copy)]
enum Act {
    /// A message that begins a turn.
    Turn(&'static str),
    /// The same with an image.
    Picture(&'static str),
    /// The next question is decided so; without one the mode decides.
    Decide(&'static str),
    /// When the agent has begun to work (a tool, or text): a further message.
    Steer(&'static str),
    /// The same: it is stopped.
    Cancel,
    /// When a question is open: it is stopped.
    CancelOpen,
    /// The thread is resumed by a new process.
    Restart,
}
use Act::{Cancel, CancelOpen, Decide, Picture, Restart, Steer, Turn};

const CODEX: &str = "codex-app-server";
const CLAUDE: &str = "claude-code-stream";
const PI: &str = "pi-rpc";

const CASES: &[Case] = &[
    (
        CODEX,
        "suggest",
        "codex",
        Mode::Suggest,
        None,
        &[
            Turn("@@think:hm let me see@@ @@text:Hello there.@@"),
            Turn("@@sh:ls /@@ @@text:Looked.@@"),
            Turn("@@write:a.txt:hello@@ @@text:You said no.@@"),
            Turn("@@write:a.txt:hello@@ @@text:Written.@@"),
            Decide("allow"),
            Turn(
                "@@tool:exec_command:{\"cmd\":\"touch /home/user/out\",\"sandbox_permissions\":\"require_escalated\",\"justification\":\"It lies outside.\"}@@ @@text:Touched.@@",
            ),
            Decide("session"),
            Turn(
                "@@tool:exec_command:{\"cmd\":\"touch /home/user/out\",\"sandbox_permissions\":\"require_escalated\",\"justification\":\"It lies outside.\"}@@ @@text:Not asked again.@@",
            ),
            Turn("@@write:b.txt:hello@@ @@text:never@@"),
            Decide("stop"),
            Restart,
            Turn("@@text:Resumed.@@"),
        ],
    ),
    (
        CODEX,
        "auto-edit",
        "codex",
        Mode::AutoEdit,
        None,
        &[
            Turn("@@write:c.txt:hello@@ @@sh:cat c.txt@@ @@text:No question.@@"),
            Turn("@@write:/home/user/out.txt:hello@@ @@text:Outside.@@"),
            Turn("@@err:401@@"),
            Turn("@@err:400@@"),
        ],
    ),
    (
        CODEX,
        "control",
        "codex",
        Mode::FullAuto,
        Some("app-server"),
        &[
            Turn("@@sh:sleep 311@@"),
            Cancel,
            Turn("@@slow:40:0.2@@"),
            Cancel,
            Turn("@@sh:sleep 2; echo slept@@ @@text:first plan@@"),
            Steer("change of plan @@text:Steered answer.@@"),
            Picture("what is this"),
            Turn("@@empty@@"),
        ],
    ),
    (
        CODEX,
        "cancel-open",
        "codex",
        Mode::Suggest,
        None,
        &[Turn("@@write:d.txt:hello@@ @@text:never@@"), CancelOpen, Turn("@@text:Still here.@@")],
    ),
    (
        CLAUDE,
        "suggest",
        "claude-code",
        Mode::Suggest,
        None,
        &[
            Turn("/cost @@text:Hello there.@@"),
            Turn("@@sh:touch a1@@ @@text:You said no.@@"),
            Turn("@@write:/home/user/project/a.txt:one@@ @@text:Written.@@"),
            Decide("allow"),
            Turn("@@sh:touch a2@@ @@sh:touch a2@@ @@text:Asked once.@@"),
            Decide("session"),
            Turn(
                "@@write:/home/user/project/b.txt:two@@ @@write:/home/user/project/c.txt:three@@ @@text:Both.@@",
            ),
            Decide("session"),
            Turn(
                "@@tool:AskUserQuestion:{\"questions\":[{\"question\":\"Which color?\",\"header\":\"Color\",\"multiSelect\":false,\"options\":[{\"label\":\"Red\",\"description\":\"r\"},{\"label\":\"Blue\",\"description\":\"b\"}]}]}@@",
            ),
            Decide("Blue"),
            Turn("@@sh:touch /home/user/a3@@ @@text:never@@"),
            Decide("stop"),
            Restart,
            Turn("@@text:Resumed.@@"),
        ],
    ),
    (
        CLAUDE,
        "auto-edit",
        "claude-code",
        Mode::AutoEdit,
        None,
        &[
            Turn("@@write:/home/user/project/d.txt:one@@ @@text:No question.@@"),
            Turn("@@write:/home/user/out.txt:hello@@ @@text:Outside.@@"),
            Turn("@@write:/home/user/project/.git/config:x@@ @@text:Not that.@@"),
            Turn("@@tool:EnterPlanMode:{}@@ @@tool:ExitPlanMode:{\"plan\":\"1. do it\"}@@ @@text:Planned.@@"),
            Turn("@@err:400@@"),
        ],
    ),
    (
        CLAUDE,
        "control",
        "claude-code",
        Mode::FullAuto,
        Some("stream"),
        &[
            Turn("@@sh:tail -f /dev/null --pid 1 -s 331@@"),
            Cancel,
            Turn("@@slow:5:0.2@@"),
            Steer("second @@text:two@@"),
            Turn("@@sh:sleep 2; echo slept@@ @@text:first plan@@"),
            Steer("change of plan @@text:unused@@"),
            Turn("@@slow:30:0.2@@"),
            Steer("queued @@slow:30:0.2@@"),
            Cancel,
            Picture("what is it"),
            Turn("@@empty@@"),
        ],
    ),
    (
        CLAUDE,
        "cancel-open",
        "claude-code",
        Mode::Suggest,
        None,
        &[Turn("@@sh:touch d@@"), CancelOpen, Turn("@@text:Still here.@@")],
    ),
    (PI, "control", "pi", Mode::FullAuto, Some("rpc"), PI_CONTROL),
    (
        PI,
        "compact",
        "pi",
        Mode::FullAuto,
        Some("rpc"),
        &[
            Turn("We plan a trip."),
            Restart,
            Turn("It goes to the sea."),
            Restart,
            Turn("/compact the plan"),
            Restart,
            Turn("/compact the plan"),
        ],
    ),
    (PI, "control-073", "pi", Mode::FullAuto, Some("rpc"), PI_CONTROL),
];

/// One process per turn.
const PI_CONTROL: &[Act] = &[
    Turn("@@sh:sleep 2; echo slept@@ @@text:first plan@@"),
    Steer("change of plan @@text:Steered answer.@@"),
    Restart,
    Turn("@@slow:5:0.3@@"),
    Steer("second @@text:two@@"),
    Restart,
    Turn("@@sh:sleep 311@@"),
    Cancel,
    Restart,
    Turn("@@slow:40:0.2@@"),
    Cancel,
    Restart,
    Picture("/compact is a word here"),
    Restart,
    Turn("@@err:401@@"),
    Restart,
    Turn("@@err1:500@@ @@text:Again.@@"),
    Restart,
    Turn("@@empty@@"),
];

fn request(case: &Case, prompt: &str) -> TurnRequest {
    let (.., mode, transport, _) = *case;
    TurnRequest {
        prompt: prompt.to_owned(),
        workdir: "/home/user/project".into(),
        model: (case.0 == PI).then(|| "fake/fake-model".to_owned()),
        effort: None,
        mode,
        resume: None,
        fresh_prompt: None,
        images: Vec::new(),
        transport: transport.map(str::to_owned),
        is_slash_command: prompt == "/compact the plan",
    }
}

const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn image() -> PromptImage {
    let path = "/home/user/red.png".into();
    PromptImage { path, media_type: "image/png".to_owned(), data: Some(PIXEL.to_owned()) }
}

/// One conversation: the dialect, and everything about it that can be seen.
struct Talk<'c> {
    case: &'c Case,
    dialect: Option<Box<dyn Dialect>>,
    session: Option<String>,
    /// What we have written and nobody has looked at yet.
    written: Vec<Value>,
    /// Open questions.
    asks: Vec<wtt_connect::agent::permission::PermissionRequest>,
    seen: String,
    over: bool,
    working: bool,
}

impl<'c> Talk<'c> {
    fn new(case: &'c Case) -> Self {
        let (session, dialect) = (None, None);
        let (written, asks, seen) = (Vec::new(), Vec::new(), String::new());
        Talk { case, dialect, session, written, asks, seen, over: true, working: false }
    }

    fn note(&mut self, effects: DialectEffects) {
        for text in &effects.stdin {
            assert_eq!(text.find('\n'), Some(text.len() - 1), "one line: {text}");
            self.written.push(serde_json::from_str(text).expect("whatever is written is JSON"));
        }
        for event in &effects.events {
            if let AgentEvent::Session(id) = event {
                self.session = Some(id.clone());
            }
            self.working |= matches!(event, AgentEvent::Tool { .. } | AgentEvent::Text(_));
            writeln!(self.seen, "{event:?}").unwrap();
        }
        for ask in effects.permission_requests {
            writeln!(self.seen, "{ask:#?}").unwrap();
            self.asks.push(ask);
        }
        for id in effects.withdrawn_requests {
            writeln!(self.seen, "withdrawn {id}").unwrap();
            self.asks.retain(|ask| ask.id != id);
        }
        for (name, usage) in [("usage", effects.usage), ("thread total", effects.usage_total)] {
            if let Some(usage) = usage {
                writeln!(self.seen, "{name}: {usage:?}").unwrap();
            }
        }
        if let Some(done) = effects.outcome {
            assert!(!self.over, "a turn has one outcome: {done:?}");
            writeln!(self.seen, "{done:#?}").unwrap();
            self.over = true;
        }
    }

    fn act(&mut self, what: &Value) {
        writeln!(self.seen, "! {what}").unwrap();
        let mut effects = DialectEffects::default();
        if what["restart"] == true {
            self.dialect = None;
        } else if let Some(prompt) = what["turn"].as_str() {
            let mut request = request(self.case, prompt);
            request.resume.clone_from(&self.session);
            request.images.extend((what["image"] == true).then(image));
            (self.over, self.working) = (false, false);
            match &mut self.dialect {
                Some(dialect) => {
                    assert!(dialect.keeps_process());
                    dialect.next_turn(&request, &mut effects);
                }
                None => {
                    let spec = adapters::find(self.case.2).unwrap();
                    self.dialect.insert((spec.dialect)(&request)).start(&mut effects);
                }
            }
        } else if let Some(text) = what["steer"].as_str() {
            assert!(self.dialect.as_mut().unwrap().steer(text, &mut effects));
        } else if what["cancel"] == true {
            assert!(self.dialect.as_mut().unwrap().cancel(&mut effects));
        } else if let Some(word) = what["decide"].as_str() {
            let ask = self.asks.remove(0);
            let decision = match word {
                "mode" => match decide_by_mode(self.case.3, &ask) {
                    PolicyVerdict::Deny(words) => Decision::Deny(words),
                    PolicyVerdict::Allow | PolicyVerdict::AskPeople => Decision::Allow,
                },
                "allow" => Decision::Allow,
                "session" => Decision::AllowSession,
                "stop" => Decision::DenyAndStop,
                words => Decision::Answer(words.to_owned()),
            };
            self.dialect.as_mut().unwrap().answer(&ask.id, &decision, &mut effects);
        }
        self.note(effects);
    }

    fn line(&mut self, line: &str) {
        let mut effects = DialectEffects::default();
        if !self.over {
            self.dialect.as_mut().unwrap().on_line(line, &mut effects);
        }
        self.note(effects);
    }
}

fn folder(case: &Case) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case.0)
}

fn replay(case: &Case) -> String {
    let text = std::fs::read_to_string(folder(case).join(format!("{}.jsonl", case.1))).unwrap();
    let mut talk = Talk::new(case);
    for record in text.lines() {
        let record: Value = serde_json::from_str(record).unwrap();
        let msg = &record["msg"];
        match record["dir"].as_str().unwrap() {
            "<-" => talk.line(&msg.to_string()),
            "!" => talk.act(msg),
            _ => {
                assert!(!talk.written.is_empty(), "{}: nothing was written, but {msg} is awaited", case.1);
                assert_eq!(talk.written.remove(0), *msg, "{}", case.1);
            }
        }
    }
    assert!(talk.written.is_empty(), "{}: {:?} was written as well", case.1, talk.written);
    assert!(talk.over, "{}: the last turn has no end", case.1);
    talk.seen
}

#[test]
fn recorded_conversations() {
    for case in CASES {
        let seen = replay(case);
        let golden = folder(case).join(format!("{}.events", case.1));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&golden, &seen).unwrap();
        } else {
            let want = std::fs::read_to_string(golden).unwrap_or_default();
            assert!(want == seen, "UPDATE_EXPECT=1 rewrites; {}/{} differs:\n{seen}", case.0, case.1);
        }
    }
}

/// Records all cases, or that of `WTT_RECORD_CASE`, with the program `WTT_RECORD_CODEX`, `WTT_RECORD_CLAUDE`, `WTT_RECORD_PI` or
/// `WTT_RECORD_PI_073`.
#[test]
#[ignore = "makes new recordings with real CLIs"]
fn record() {
    let only = std::env::var("WTT_RECORD_CASE").ok();
    for case in CASES {
        let program = match case.0 {
            CODEX => "WTT_RECORD_CODEX",
            PI if case.1.ends_with("-073") => "WTT_RECORD_PI_073",
            PI => "WTT_RECORD_PI",
            _ => "WTT_RECORD_CLAUDE",
        };
        let Ok(program) = std::env::var(program) else { continue };
        if only.as_ref().is_none_or(|only| *only == format!("{}/{}", case.0, case.1)) {
            println!("{}/{}", case.0, case.1);
            let log = converse(case, &program);
            std::fs::create_dir_all(folder(case)).unwrap();
            std::fs::write(folder(case).join(format!("{}.jsonl", case.1)), log).unwrap();
        }
    }
}

fn spawn(case: &Case, program: &str, request: &TurnRequest) -> (std::process::Child, Receiver<String>) {
    let root = std::env::var("USER").is_ok_and(|user| user == "root");
    let fresh_id = format!("{:08x}-0000-4000-8000-{:012x}", fastrand::u32(..), fastrand::u32(..));
    let invocation = (adapters::find(case.2).unwrap().invoke)(
        request,
        &LaunchContext { fresh_id: &fresh_id, is_root: root },
    );
    let mut child = Command::new(program)
        .args(invocation.args)
        .envs(invocation.env)
        .envs(invocation.env_defaults)
        .current_dir(&request.workdir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines() {
            let _ = tell.send(line.unwrap());
        }
    });
    (child, lines)
}

fn converse(case: &Case, program: &str) -> String {
    let mut talk = Talk::new(case);
    let mut log = String::new();
    let mut process: Option<(std::process::Child, Receiver<String>)> = None;
    let mut acts = case.5.iter().copied().peekable();
    while let Some(act) = acts.next() {
        let (prompt, picture) = match act {
            Turn(prompt) => (prompt, false),
            Picture(prompt) => (prompt, true),
            Restart => {
                let (mut child, _) = process.take().unwrap();
                drop(child.stdin.take());
                child.wait().unwrap();
                step(&mut talk, &mut log, None, &json!({ "restart": true }));
                continue;
            }
            other => panic!("{other:?} belongs behind a turn"),
        };
        let mut turn = request(case, prompt);
        turn.resume.clone_from(&talk.session);
        turn.images.extend(picture.then(image));
        let (child, lines) = process.get_or_insert_with(|| spawn(case, program, &turn));
        let mut stdin = child.stdin.as_ref();
        step(&mut talk, &mut log, stdin, &json!({ "turn": prompt, "image": picture }));
        let mut cancelled = false;
        while !talk.over {
            let line = lines.recv_timeout(Duration::from_secs(30)).expect("it says something in time");
            let value: Value = serde_json::from_str(&line).unwrap();
            writeln!(log, "{}", json!({ "dir": "<-", "msg": value })).unwrap();
            talk.line(&line);
            flush(&mut talk, &mut log, stdin);
            while !talk.asks.is_empty() && !cancelled {
                let what = match acts.peek() {
                    Some(Decide(word)) => json!({ "decide": word }),
                    Some(CancelOpen) => json!({ "cancel": true }),
                    _ => json!({ "decide": "mode" }),
                };
                if what["decide"] != "mode" {
                    acts.next();
                }
                cancelled = what["cancel"] == true;
                step(&mut talk, &mut log, stdin, &what);
            }
            while talk.working
                && !talk.over
                && let Some(Steer(_) | Cancel) = acts.peek()
            {
                std::thread::sleep(Duration::from_millis(700));
                let what = match acts.next() {
                    Some(Steer(text)) => json!({ "steer": text }),
                    _ => json!({ "cancel": true }),
                };
                step(&mut talk, &mut log, stdin, &what);
            }
        }
        stdin.take();
        // What comes between the turns is not heard by the dialect.
        std::thread::sleep(Duration::from_millis(300));
        for line in lines.try_iter() {
            let value: Value = serde_json::from_str(&line).unwrap();
            writeln!(log, "{}", json!({ "dir": "<-", "msg": value })).unwrap();
        }
    }
    let (mut child, _) = process.unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    eprint!("{}", talk.seen);
    log
}

fn step(talk: &mut Talk<'_>, log: &mut String, stdin: Option<&std::process::ChildStdin>, what: &Value) {
    writeln!(log, "{}", json!({ "dir": "!", "msg": what })).unwrap();
    talk.act(what);
    flush(talk, log, stdin);
}

fn flush(talk: &mut Talk<'_>, log: &mut String, stdin: Option<&std::process::ChildStdin>) {
    for message in std::mem::take(&mut talk.written) {
        writeln!(log, "{}", json!({ "dir": "->", "msg": message })).unwrap();
        writeln!(stdin.unwrap(), "{message}").unwrap();
    }
}

/// A line of any kind: no panic, no verdict, nothing written that is not JSON.
#[test]
fn mutated_conversations() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for case in CASES {
        let text = std::fs::read_to_string(folder(case).join(format!("{}.jsonl", case.1))).unwrap();
        let lines: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|record| record["dir"] == "<-")
            .map(|record| record["msg"].to_string())
            .collect();
        for _ in 0..50 {
            let mut talk = Talk::new(case);
            talk.act(&json!({ "turn": "x" }));
            let begin = random.usize(..lines.len());
            for line in &lines[begin..] {
                let mut line = line.clone().into_bytes();
                for _ in 0..random.usize(..3) {
                    let at = random.usize(..line.len());
                    match random.u8(..4) {
                        0 => line[at] = random.u8(..),
                        1 => line.truncate(at.max(1)),
                        2 => drop(line.splice(at..at, *b"null")),
                        _ => line.extend_from_within(..at),
                    }
                }
                talk.line(&String::from_utf8_lossy(&line));
                if !talk.asks.is_empty() && random.bool() {
                    talk.act(&json!({ "decide": (["allow", "session", "stop", "no"][random.usize(..4)]) }));
                }
                talk.written.clear();
            }
        }
    }
    println!("seed {seed}");
}
