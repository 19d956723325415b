//! The JSON in the manual page of the protocol is what the program really sends and understands.

use serde_json::{Value, json};
use wtt_connect::wire::assumed;
use wtt_connect::wire::frame::{self, Frame};
use wtt_connect::wire::host_frames;
use wtt_connect::wire::outbound_text::{TaskStatusLine, task_status_line};
use wtt_connect::wire::outgoing::{self, Publish, StatusKind, TypingStatus};

const PAGE: &str = include_str!("../../man/wtt-connect-protocol.7");

/// The literal displays of the page.
fn displays() -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in PAGE.lines() {
        if line.starts_with(".Bd -literal") {
            open = Some(String::new());
        } else if line == ".Ed" {
            found.extend(open.take());
        } else if let Some(text) = &mut open {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// What this program sends, and not what it gets.
fn is_ours(frame: &Value) -> bool {
    frame.get("action").is_some() || frame["type"].as_str().is_some_and(|kind| kind.ends_with("_response"))
}

/// A request of the service that is about this machine.
fn call(frame: Value) -> host_frames::HostRequest {
    match frame::decode(&frame.to_string()) {
        Frame::Host(call) => *call,
        other => panic!("{other:?}"),
    }
}

fn frames() -> Vec<Value> {
    displays()
        .iter()
        .filter(|text| text.starts_with('{'))
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

#[test]
fn what_we_send_is_documented_to_the_letter() {
    let status = TypingStatus {
        text: "cargo test".into(),
        kind: StatusKind::Command,
        adapter: "codex".into(),
        model: Some("gpt-5.5".into()),
    };
    let reply = Publish {
        request_id: "publish-7",
        topic_id: "t-1",
        content: "All 12 tests pass.",
        semantic_type: "post",
        reply_to: Some("m-42"),
        client_id: Some("c-1"),
        outcome: Some("done"),
    };
    let mut sent: Vec<Value> = [
        outgoing::auth("auth-1", "wtt-tok-example"),
        outgoing::publish(&reply),
        outgoing::typing_start("typing-3", "t-1", assumed::TYPING_TTL_MS, &status),
        outgoing::typing_stop("typing-4", "t-1"),
        outgoing::poll("poll-1", assumed::POLL_LIMIT),
        outgoing::history("history-1", "t-1", assumed::HISTORY_LIMIT),
        outgoing::refuse("e2e_key_request", "k1", "e2e_not_configured"),
        call(json!({"type":"terminal_open","request_id":"to1"}))
            .answer(true, json!({"session_id":"ts1","data":{"session_id":"ts1"}}))
            .unwrap(),
        call(json!({"type":"shell_exec","request_id":"sh1","command":"uname"}))
            .answer(
                true,
                host_frames::CommandResult {
                    stdout: "Linux".into(),
                    ..host_frames::CommandResult::default()
                }
                .fields(),
            )
            .unwrap(),
        host_frames::runtime_info(
            "runtime_info-1",
            &json!({"kind":"wtt-connect","adapter":"codex","adapters":["codex"],"model":null,
                "workdir":"/home/u/ws","workdir_name":"ws","hostname":"box1","platform":"linux",
                "git":{"repo":"ws","branch":"main","commit":"ab12cd3","dirty":false},
                "capabilities":{"shell":false,"terminal":false}}),
        ),
    ]
    .iter()
    .map(|frame| serde_json::from_str(frame).unwrap())
    .collect();
    for documented in frames() {
        if is_ours(&documented) {
            let at = sent.iter().position(|frame| *frame == documented);
            sent.remove(at.unwrap_or_else(|| panic!("not what we send: {documented}")));
        }
    }
    assert!(sent.is_empty(), "not documented: {sent:?}");
}

#[test]
fn what_we_are_said_to_understand_is_understood() {
    let mut kinds = Vec::new();
    for documented in frames() {
        if is_ours(&documented) {
            continue;
        }
        kinds.push(match frame::decode(&documented.to_string()) {
            Frame::Result(result) if result.is_authenticated() => {
                assert_eq!(result.display_name().as_deref(), Some("Alice Codex"));
                "auth"
            }
            Frame::Result(result) => {
                assert_eq!(result.error.as_deref(), Some("not a member"));
                "error"
            }
            Frame::Message(message) => {
                assert_eq!(message.mention_targets, ["agent-aaaabbbbcccc"]);
                "message"
            }
            Frame::Request { .. } => "request",
            Frame::Host(call) => match call.ask {
                host_frames::HostAction::Open { .. } => "terminal",
                host_frames::HostAction::Shell { .. } => "shell",
                other => panic!("{other:?}"),
            },
            other => panic!("{documented}: {other:?}"),
        });
    }
    assert_eq!(kinds, ["auth", "error", "request", "message", "terminal", "shell"]);
}

#[test]
fn the_status_line_is_the_documented_one() {
    let line = task_status_line(&TaskStatusLine {
        time: "2026-04-01T08:00:01Z",
        status: "doing",
        action: "command:cargo test",
        task_id: Some("k-1"),
        topic_id: "t-1",
        agent_id: "agent-aaaabbbbcccc",
        kind: "command",
    });
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(displays().iter().any(|text| one_line(text) == line), "{line}");
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_program() {
    for said in [
        format!("Every {} seconds the bare text", assumed::PING_EVERY.as_secs()),
        format!("received for {} seconds", assumed::DEAD_PEER_AFTER.as_secs()),
        format!("an answer for {} seconds", assumed::AUTH_WAIT.as_secs()),
        format!("within {} seconds", assumed::REQUEST_TIMEOUT.as_secs()),
        format!("at most {} characters (assumed)", assumed::CHUNK_CHARS),
    ] {
        assert!(PAGE.contains(&said), "{said}");
    }
}
