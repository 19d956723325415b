//! The small one-shot adapters against fake programs: what their specs and the runner make of a turn together.
//!
//! What their dialects make of lines is in `dialects.rs`; the runner itself is in `adapters.rs`.

use crossbeam_channel::unbounded;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use wtt_connect::agent::adapter;
use wtt_connect::agent::adapter::Login;
use wtt_connect::agent::adapters;
use wtt_connect::agent::discovery::login::probe;
use wtt_connect::agent::outcome::{AgentOutcome, Reason, TurnReport};
use wtt_connect::agent::runner;
use wtt_connect::agent::runner::Runner;
use wtt_connect::agent::{PromptImage, TurnRequest};
use wtt_connect::config::{Limits, Mode};

const CRUSH_ID: &str = "01a201fc-49a6-73b2-93a6-9a4fe7056111";

fn request(dir: &Path) -> TurnRequest {
    TurnRequest {
        prompt: "hello".to_owned(),
        fresh_prompt: None,
        workdir: dir.to_owned(),
        model: None,
        effort: None,
        mode: Mode::FullAuto,
        resume: None,
        images: Vec::new(),
        transport: None,
        is_slash_command: false,
    }
}

fn command(agent: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents").join(format!("{agent}.sh"));
    assert!(script.exists());
    vec!["/bin/sh".to_owned(), script.to_str().unwrap().to_owned()]
}

fn run(adapter: &str, agent: &str, request: &TurnRequest) -> TurnReport {
    let (_stop, control) = unbounded();
    let runner = Runner {
        env: &BTreeMap::new(),
        spec: adapters::find(adapter).unwrap(),
        command: &command(agent),
        limits: Limits {
            first_event: Duration::from_secs(1),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(30),
        },
        owner: "tests:oneshot",
        control: &control,
        steers: &crossbeam_channel::never(),
        usage_before: None,
        opened_at: None,
        keep_process: None,
        policy: &wtt_connect::agent::permission::ModePolicy { can_ask_people: false },
    };
    runner::run(&runner, request, &mut |_| {})
}

fn refusal(report: &TurnReport) -> &str {
    match &report.outcome {
        AgentOutcome::Failed { reason: Reason::RefusedByPolicy, detail, .. } => detail,
        other => panic!("expected a refusal: {other:?}"),
    }
}

#[test]
fn the_temporary_folders_of_a_crash_are_removed_at_the_next_start() {
    let owner = wtt_connect::sys::id::hex();
    let folder = |owner: &str| std::env::temp_dir().join(format!("wtt-connect-{owner}-left"));
    let other = wtt_connect::sys::id::hex();
    for owner in [&owner, &other] {
        std::fs::create_dir(folder(owner)).unwrap();
        std::fs::write(folder(owner).join("settings.json"), "{}").unwrap();
    }
    wtt_connect::agent::runner::sweep_left_over(&owner, "new");
    assert!(!folder(&owner).exists() && folder(&other).exists());
    std::fs::remove_dir_all(folder(&other)).unwrap();
}

#[test]
fn crush_is_queried_for_its_session_and_resumed_in_the_same_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(dir.path());
    let first = run("crush", "crush", &request);
    assert_eq!(first.outcome, AgentOutcome::Done("I got: hello".to_owned()));
    let id = first.session.unwrap();
    let (place, session) = id.split_once(':').unwrap();
    assert_eq!(session, CRUSH_ID);

    request.resume = Some(id.clone());
    let second = run("crush", "crush", &request);
    assert_eq!(second.session, Some(id.clone()));
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    let data = format!("--data-dir={}/.crush/wtt-connect/{place}", dir.path().display());
    let want = [
        ("run --quiet", String::new()),
        ("session last --json", String::new()),
        ("run --quiet", format!(" --session={CRUSH_ID}")),
    ];
    assert_eq!(calls.len(), want.len(), "a known session is not asked for again: {calls:?}");
    for (call, (begin, end)) in calls.iter().zip(want) {
        assert_eq!(*call, format!("{begin} --cwd={} {data}{end}", dir.path().display()));
    }

    request.resume = None;
    let other = run("crush", "crush", &request).session.unwrap();
    assert!(other != id, "another conversation in the same directory has a place of its own");
}

/// Crush prints text only, so a tool that runs before its first word must not look like a hanging start.
#[test]
fn crush_may_be_silent_at_first() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("slow"), "").unwrap();
    let report = run("crush", "crush", &request(dir.path()));
    assert_eq!(report.outcome, AgentOutcome::Done("I got: hello".to_owned()));
}

#[test]
fn modes_that_these_clis_do_not_support_are_refused() {
    for (adapter, mode) in [
        ("crush", Mode::Suggest),
        ("crush", Mode::AutoEdit),
        ("pi", Mode::AutoEdit),
        ("cursor", Mode::AutoEdit),
    ] {
        assert!(
            adapter::mode_refusal(adapters::find(adapter).unwrap(), mode).is_some(),
            "{adapter} {}",
            mode.name()
        );
    }
}

#[test]
fn a_prompt_that_is_too_long_for_cursors_command_line_is_refused_with_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = "x".repeat(200_000);
    let report = run("cursor", "crush", &TurnRequest { prompt, ..request(dir.path()) });
    let detail = refusal(&report);
    assert!(detail.contains("200000 bytes") && detail.contains("131071"), "{detail}");
    // The longest that is let through can really be started.
    let prompt = "x".repeat(131_071);
    let report = run("cursor", "crush", &TurnRequest { prompt, ..request(dir.path()) });
    assert!(matches!(&report.outcome, AgentOutcome::Failed { reason: Reason::NoOutput, .. }), "{report:?}");
}

#[test]
fn images_are_named_if_they_cannot_be_passed() {
    let dir = tempfile::tempdir().unwrap();
    let image = PromptImage { path: "/i/a.png".into(), media_type: "image/png".to_owned(), data: None };
    let report = run("crush", "crush", &TurnRequest { images: vec![image], ..request(dir.path()) });
    let AgentOutcome::Done(answer) = report.outcome else { panic!("{report:?}") };
    assert!(answer.starts_with("I got: hello\n") && answer.ends_with("\n/i/a.png"), "{answer}");
}

#[test]
fn a_version_on_stderr_is_found_and_missing_keys_are_no_login() {
    let found = probe(adapters::find("pi").unwrap(), &command("version_on_stderr"), &BTreeMap::new());
    assert_eq!((found.version.as_deref(), found.login), (Some("0.87.1"), Login::LoggedOut));
    assert_eq!(found.problem, "");
}
