//! Golden tests: what the dialects make of recorded transcripts of the real CLIs (`fixtures/<adapter>/<case>.jsonl`).
//!
//! Per case a `.events` file holds the events, tokens and outcome; `UPDATE_EXPECT=1` rewrites them. The outcomes of all
//! cases also stand in one table here, so that a rewritten golden file cannot hide a changed verdict.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use wtt_connect::agent::adapter::AdapterSpec;
use wtt_connect::agent::adapters;
use wtt_connect::agent::dialect::{DialectEffects, Exit};
use wtt_connect::agent::outcome::AgentOutcome;
use wtt_connect::agent::{TurnRequest, adapter};
use wtt_connect::config::Mode;

fn fixtures(adapter: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(adapter)
}

/// Cases that are no turns: they are read by the tests of `agent::probe`.
const NOT_TURNS: &[&str] =
    &["login-api-key", "login-status-key", "login-status-none", "auth-status-key", "auth-status-none"];

fn cases(adapter: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures(adapter))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .filter(|name| !NOT_TURNS.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

fn read(file: PathBuf) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}

fn request() -> TurnRequest {
    TurnRequest {
        prompt: "prompt".to_owned(),
        workdir: "/home/user/project".into(),
        model: None,
        effort: None,
        mode: Mode::FullAuto,
        resume: None,
        fresh_prompt: None,
        images: Vec::new(),
        // what is recorded here is that, in every mode
        transport: Some("one-shot".to_owned()),
        is_slash_command: false,
    }
}

/// The exit status and the resumed session, from the recorded command line. The other recorder kept the exit in a file
/// of its own (`.meta`).
fn command_line(text: &str, meta: &str) -> (Exit, Option<String>) {
    let record = text.lines().find_map(|line| line.strip_prefix("# {")).map(|record| format!("{{{record}"));
    let record = record.as_deref().or(meta.lines().next()).unwrap();
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    let rc = i32::try_from(record["rc"].as_i64().unwrap()).unwrap();
    let exit = if rc < 0 { Exit::Signal(-rc) } else { Exit::Code(rc) };
    if !meta.is_empty() {
        let mut words = text.split_whitespace();
        let resumes = words.find(|word| matches!(*word, "--session" | "-s" | "-r"));
        let id = resumes.and(words.next()).filter(|id| adapter::is_uuid(id) || id.starts_with("ses"));
        return (exit, id.map(str::to_owned));
    }
    let line = text.lines().nth(1).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let resumes = words.iter().any(|word| matches!(*word, "resume" | "--resume" | "--session"));
    let id = words.iter().rev().find(|word| adapter::is_uuid(word)).map(|id| (*id).to_owned());
    (exit, id.filter(|_| resumes))
}

/// Plays one transcript, as the runner would.
fn play(adapter: &AdapterSpec, case: &str) -> (String, AgentOutcome) {
    play_in(adapter, &fixtures(adapter.name), case)
}

fn play_in(adapter: &AdapterSpec, dir: &Path, case: &str) -> (String, AgentOutcome) {
    let cmd = read(dir.join(format!("{case}.cmd")));
    let (exit, resume) = command_line(&cmd, &read(dir.join(format!("{case}.meta"))));
    // Crush's session is remembered with its data directory.
    let resume = resume.map(|id| if adapter.name == "crush" { format!("{id}:{id}") } else { id });
    let mode = if adapter.name == "gemini" && !cmd.contains("yolo") { Mode::Suggest } else { Mode::FullAuto };
    let request = TurnRequest { prompt: "prompt".to_owned(), resume, mode, ..request() };
    let mut dialect = (adapter.dialect)(&request);
    let mut effects = DialectEffects::default();
    dialect.start(&mut effects);
    assert!(effects.stdin.is_empty() || effects.stdin == ["prompt"], "{case}");
    let mut out = String::new();
    let mut outcome: Option<AgentOutcome> = effects.outcome.take();
    let mut record = |effects: DialectEffects, outcome: &mut Option<AgentOutcome>| {
        for event in effects.events {
            writeln!(out, "{event:?}").unwrap();
        }
        for (name, usage) in [("usage", effects.usage), ("thread total", effects.usage_total)] {
            if let Some(usage) = usage {
                writeln!(out, "{name}: {usage:?}").unwrap();
            }
        }
        if let Some(done) = effects.outcome {
            assert!(outcome.is_none(), "{case}: a turn has one outcome");
            *outcome = Some(done);
        }
    };
    for line in read(dir.join(format!("{case}.jsonl"))).lines() {
        let mut effects = DialectEffects::default();
        dialect.on_line(line, &mut effects);
        record(effects, &mut outcome);
    }
    if outcome.is_none() {
        let stderr = read(dir.join(format!("{case}.stderr")));
        let stderr: String =
            stderr.lines().filter(|l| !l.starts_with("[rec]")).map(|l| format!("{l}\n")).collect();
        let mut effects = DialectEffects::default();
        dialect.on_exit(exit, &stderr, &mut effects);
        record(effects, &mut outcome);
    }
    let outcome = outcome.expect("every ending has an outcome");
    writeln!(out, "{outcome:#?}").unwrap();
    (out, outcome)
}

/// Compares with the golden files and returns `case: verdict` for each case.
fn check(adapter: &str) -> Vec<String> {
    check_in(adapters::find(adapter).unwrap(), adapter)
}

fn check_in(adapter: &AdapterSpec, folder: &str) -> Vec<String> {
    let dir = fixtures(folder);
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut verdicts = Vec::new();
    let mut wrong = Vec::new();
    for case in cases(folder) {
        let (got, outcome) = play_in(adapter, &dir, &case);
        let golden = dir.join(format!("{case}.events"));
        if update {
            std::fs::write(&golden, &got).unwrap();
        } else if read(golden) != got {
            wrong.push(format!("--- {case}\n{got}"));
        }
        verdicts.push(match outcome {
            AgentOutcome::Done(_) => format!("{case}: done"),
            AgentOutcome::Failed { reason, .. } => format!("{case}: {}", reason.word()),
            AgentOutcome::Cancelled { .. } => format!("{case}: cancelled"),
        });
    }
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 rewrites; differing:\n{}", wrong.join("\n"));
    verdicts
}

/// Every case that is not listed here ends with an answer.
fn expect(verdicts: &[String], total: usize, failures: &str) {
    let failed: Vec<&str> = verdicts.iter().map(String::as_str).filter(|v| !v.ends_with(": done")).collect();
    let want: Vec<&str> = failures.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(failed, want);
    assert_eq!(verdicts.len(), total, "recorded cases");
}

#[test]
fn codex_transcripts() {
    expect(
        &check("codex"),
        82,
        "
            approval-untrusted: refused_by_policy
            bad-flag: cli_unsupported
            big-prompt-1.8MB: refused_by_policy
            builtin-401: auth_rejected
            builtin-429: rate_limited
            builtin-500: provider_error
            builtin-nologin-401: auth_rejected
            codemode-sigkill: killed
            codemode-sigterm: killed
            concurrent-2: refused_by_policy
            empty: no_output
            empty-prompt: refused_by_policy
            err-400: provider_error
            err-401: auth_rejected
            err-429: rate_limited
            err-429-retries: rate_limited
            err-500: provider_error
            err-500-retries: provider_error
            err-drop: network
            err-drop-retry: network
            err-sse: provider_error
            hang-idle-timeout: provider_error
            no-git-check: refused_by_policy
            no-login: not_logged_in
            node20-wrapper-KILL: killed
            node20-wrapper-TERM: killed
            provider-openai-env2: network
            resume-C-after: cli_unsupported
            resume-unknown: stale_session
            slow-sigint: silent_exit
            slow-sigterm: killed
            stdin-open: killed
            tool-sigint: silent_exit
            tool-sigkill: killed
            tool-sigterm: killed
            tool-sigterm-group: killed
                ",
    );
}

#[test]
fn claude_transcripts() {
    expect(
        &check("claude-code"),
        82,
        "
            bad-flag: cli_unsupported
            bad-mode: refused_by_policy
            budget: quota
            conn-refused: network
            empty: no_output
            empty-prompt: refused_by_policy
            err-400: provider_error
            err-401-default-retries: auth_rejected
            err-401-retry0: auth_rejected
            err-401-retry1: auth_rejected
            err-403: auth_rejected
            err-404: provider_error
            err-429-retry2: rate_limited
            err-500-retry2: provider_error
            err-529-retry2: provider_error
            hang: killed
            hang-api-timeout: killed
            max-turns: refused_by_policy
            no-login: not_logged_in
            no-login-text: not_logged_in
            no-verbose: cli_unsupported
            resume-notuuid: stale_session
            resume-unknown: stale_session
            root-bypass-mode: refused_by_policy
            root-sandbox-true: refused_by_policy
            root-sandbox-yes: refused_by_policy
            root-skip-perm: refused_by_policy
            session-id-again: refused_by_policy
            slow-sigint: killed
            slow-sigterm: killed
            tool-sigint: killed
            tool-sigkill: killed
            tool-sigkill-group: killed
            tool-sigterm: killed
            tool-sigterm-group: killed
                ",
    );
}

#[test]
fn gemini_transcripts() {
    expect(
        &check("gemini"),
        67,
        "
            bad-flag: cli_unsupported
            empty-prompt: refused_by_policy
            env-auth-only: not_logged_in
            env-auth-only2: network
            err-400: provider_error
            err-401: auth_rejected
            err-403: auth_rejected
            err-429: rate_limited
            err-429-2: rate_limited
            err-500: provider_error
            err-500-2: provider_error
            err-drop: network
            hang: killed
            no-key: not_logged_in
            no-login: not_logged_in
            resume-2nd: stale_session
            resume-after-401-a: auth_rejected
            resume-after-401-b: stale_session
            resume-after-401-c: refused_by_policy
            resume-othercwd: stale_session
            resume-unknown: stale_session
            session-id-again: refused_by_policy
            session-loss-4-resume-again-fails: stale_session
            slow-sigint: killed
            slow-sigterm: killed
            tool-sigint: killed
            tool-sigkill: killed
            tool-sigterm: killed
            untrusted: refused_by_policy
            yolo-and-mode: cli_unsupported
                ",
    );
}

#[test]
fn opencode_transcripts() {
    expect(
        &check("opencode"),
        55,
        "
            drop: network
            empty-prompt: refused_by_policy
            error400: provider_error
            error401: auth_rejected
            error500: killed
            file-greedy: silent_exit
            file-missing: silent_exit
            hang: killed
            model-unknown: provider_error
            nologin-anthropic: provider_error
            nologin-no-config: killed
            perm-bash-ask: refused_by_policy
            perm-outside-default: refused_by_policy
            provider-unknown: provider_error
            resume-bad: stale_session
            resume-bad-format: stale_session
            resume-other-cwd: killed
            resume-other-cwd-tool: killed
            slow-sigint: killed
            slow-sigint-twice: killed
            slow-sigterm: killed
            stdin-open: killed
            tool-sigint: killed
            tool-sigterm: killed
            tool-sigterm-pg: killed
                ",
    );
}

#[test]
fn kimi_transcripts() {
    expect(
        &check("kimi"),
        31,
        "
            cancel-then: killed
            empty: provider_error
            error400: provider_error
            error401: auth_rejected
            error500: killed
            model-unknown: provider_error
            nologin: not_logged_in
            old-print-flag: cli_unsupported
            resume-bad: stale_session
            resume-other-cwd: stale_session
            slow-sigint: killed
            slow-sigterm: killed
            stdin: provider_error
            tool-sigint: killed
            tool-sigterm: killed
                ",
    );
}

#[test]
fn kimi_cli_transcripts() {
    expect(
        &check_in(&adapters::kimi::LEGACY, "kimi-cli"),
        34,
        "
            dead-release: cli_unsupported
            empty: no_output
            error401: auth_rejected
            error429: rate_limited
            error500: provider_error
            model-unknown: not_logged_in
            nologin: not_logged_in
            session-id-slow-sigterm: killed
            slow-sigint: killed
            slow-sigterm: killed
            tool-sigint: killed
            tool-sigterm: killed
                ",
    );
}

/// Adapters whose transcripts are one-way; those that answer back have tests of their own (`acp.rs`).
fn one_way() -> impl Iterator<Item = &'static AdapterSpec> {
    adapters::ADAPTERS.iter().copied().filter(|adapter| fixtures(adapter.name).join("text.jsonl").exists())
}

#[test]
fn pi_transcripts() {
    expect(
        &check("pi"),
        45,
        "
            drop: provider_error
            empty: no_output
            err-401: auth_rejected
            err-401-073: auth_rejected
            err-429: rate_limited
            err-429-073: rate_limited
            err-500: provider_error
            err-500-073: provider_error
            file-missing: silent_exit
            no-login: not_logged_in
            no-login-073: not_logged_in
            no-login-provider: not_logged_in
            provider-unknown: provider_error
            provider-unknown-073: provider_error
            resume-after-cancel: stale_session
            resume-after-cancel-073: stale_session
            resume-other-cwd: stale_session
            resume-other-cwd-073: stale_session
            resume-unknown: stale_session
            resume-unknown-073: stale_session
            slow-sigint: killed
            slow-sigterm: killed
            slow-sigterm-073: killed
            tool-sigkill: killed
            tool-sigterm: killed
            tool-sigterm-073: killed
                ",
    );
}

#[test]
fn qoder_transcripts() {
    expect(
        &check("qoder"),
        14,
        "
            bad-flag: cli_unsupported
            bad-token: network
            empty: no_output
            err-429: rate_limited
            no-login: not_logged_in
            no-login-bad-model: not_logged_in
            no-login-stdin: not_logged_in
            no-login-text: not_logged_in
            no-login-yolo: not_logged_in
            resume-unknown: stale_session
                ",
    );
}

#[test]
fn cursor_documented_shapes() {
    expect(
        &check("cursor"),
        12,
        "
            cut: network
            empty: no_output
            err-usage-limit: usage_limit
            model-unknown: provider_error
            no-login: not_logged_in
            no-trust: refused_by_policy
                ",
    );
}

#[test]
fn crush_documented_shapes() {
    expect(
        &check("crush"),
        8,
        "
            bad-flag: cli_unsupported
            empty: no_output
            err-401: auth_rejected
            model-unknown: provider_error
            no-login: not_logged_in
            resume-unknown: stale_session
                ",
    );
}

/// A line of any kind: the dialects must neither panic nor decide the turn, and must go on with the next good line.
#[test]
fn garbage_between_the_lines_changes_nothing() {
    // Whatever crush prints is text.
    for adapter in one_way().filter(|adapter| adapter.name != "crush") {
        let dir = fixtures(adapter.name);
        for case in ["text", "tool-shell", "tool"]
            .into_iter()
            .filter(|case| cases(adapter.name).iter().any(|c| c == case))
        {
            let (_, want) = play(adapter, case);
            let mut dialect = (adapter.dialect)(&request());
            let mut outcome = None;
            let mut notes = 0;
            for line in read(dir.join(format!("{case}.jsonl"))).lines() {
                for junk in JUNK.iter().copied().chain([&line[..line.len() / 2]]) {
                    let mut effects = DialectEffects::default();
                    dialect.on_line(junk, &mut effects);
                    assert!(effects.outcome.is_none(), "{junk}");
                    notes += effects.events.len();
                }
                let mut effects = DialectEffects::default();
                dialect.on_line(line, &mut effects);
                outcome = outcome.or(effects.outcome);
            }
            if outcome.is_none() {
                let mut effects = DialectEffects::default();
                dialect.on_exit(Exit::Code(0), "", &mut effects);
                outcome = effects.outcome;
            }
            assert_eq!(outcome, Some(want), "{}/{case}", adapter.name);
            assert!(notes <= 10, "garbage must not flood the log: {notes} notes");
        }
    }
}

/// Whatever a line holds, a dialect does not panic, ends its turn at most once, and takes negligible time.
#[test]
fn mutated_transcripts_never_panic_or_end_twice() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for adapter in one_way() {
        let lines: Vec<String> = [
            "text",
            "tool-shell",
            "tool",
            "write",
            "err-401",
            "partial",
            "web-search",
            "deny-default",
            "drop",
        ]
        .iter()
        .flat_map(|case| {
            read(fixtures(adapter.name).join(format!("{case}.jsonl")))
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
        for _ in 0..200 {
            let mut dialect = (adapter.dialect)(&request());
            let mut ends = 0;
            for _ in 0..20 {
                let mut line = lines[random.usize(..lines.len())].clone().into_bytes();
                for _ in 0..random.usize(..4) {
                    let at = random.usize(..line.len());
                    match random.u8(..4) {
                        0 => line[at] = random.u8(..),
                        1 => line.truncate(at.max(1)),
                        2 => drop(line.splice(at..at, *b"null")),
                        _ => line.extend_from_within(..at),
                    }
                }
                let mut effects = DialectEffects::default();
                dialect.on_line(&String::from_utf8_lossy(&line), &mut effects);
                ends += usize::from(effects.outcome.is_some());
            }
            let mut effects = DialectEffects::default();
            dialect.on_exit(Exit::Code(1), "", &mut effects);
            ends += usize::from(effects.outcome.is_some());
            assert_eq!(ends, 1, "seed {seed}");
        }
        let huge = "x".repeat(1 << 20);
        let lines = [
            huge.clone(),
            format!("{{\"type\":\"{huge}\"}}"),
            "[".repeat(1 << 20),
            "{\"a\":".repeat(100_000),
        ];
        let took = crate::support::watch::computed(|| {
            for line in lines {
                (adapter.dialect)(&request()).on_line(&line, &mut DialectEffects::default());
            }
        });
        assert!(took.as_secs() < 2, "{took:?}");
    }
}

const JUNK: &[&str] = &[
    "",
    "   ",
    "not json",
    "null",
    "[]",
    "{}",
    "{\"type\":5}",
    "{\"type\":\"from the future\",\"x\":[1,2]}",
    "{\"type\":\"item.completed\"}",
    "{\"type\":\"item.completed\",\"item\":null}",
    "{\"type\":\"item.completed\",\"item\":{\"type\":7}}",
    "{\"type\":\"assistant\"}",
    "{\"type\":\"assistant\",\"message\":{\"content\":\"text\"}}",
    "{\"type\":\"stream_event\",\"event\":[]}",
    "{\"type\":\"user\",\"message\":{\"content\":[5]}}",
    "{\"type\":\"system\"}",
    "\u{0}\u{fffd}\u{1b}[31m",
];

/// What a tool call that went well is told with, one that did not, and the end of a turn in which nothing was said.
const WORK: &[(&str, &str, &str, &str)] = &[
    (
        "codex",
        r#"{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"touch a","exit_code":0,"status":"completed"}}"#,
        r#"{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"touch a","exit_code":1,"status":"failed"}}"#,
        r#"{"type":"turn.completed","usage":{}}"#,
    ),
    (
        "claude-code",
        r#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":""}]}}"#,
        r#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":"","is_error":true}]}}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"result":""}"#,
    ),
    (
        "pi",
        r#"{"type":"tool_execution_end","toolCallId":"t","isError":false}"#,
        r#"{"type":"tool_execution_end","toolCallId":"t","isError":true}"#,
        r#"{"type":"agent_settled"}"#,
    ),
    (
        "cursor",
        r#"{"type":"tool_call","subtype":"completed","call_id":"t","tool_call":{"shellToolCall":{"args":{},"result":{"success":{"exitCode":0}}}}}"#,
        r#"{"type":"tool_call","subtype":"completed","call_id":"t","tool_call":{"shellToolCall":{"args":{},"result":{"failure":{"exitCode":1}}}}}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"result":""}"#,
    ),
];

#[test]
fn a_silent_turn_is_a_failure_unless_a_tool_has_worked() {
    for (adapter, worked, failed, end) in WORK {
        for (line, fails) in [(worked, false), (failed, true)] {
            let mut dialect = (adapters::find(adapter).unwrap().dialect)(&request());
            let mut effects = DialectEffects::default();
            dialect.on_line(line, &mut effects);
            dialect.on_line(end, &mut effects);
            match effects.outcome.unwrap() {
                AgentOutcome::Failed { reason, .. } => {
                    assert!(fails && reason.word() == "no_output", "{adapter}")
                }
                AgentOutcome::Done(text) => {
                    assert!(!fails && text.contains("finished the work"), "{adapter}: {text}")
                }
                other => panic!("{adapter}: {other:?}"),
            }
        }
    }
}
