//! Hostile input: mutated frames must neither panic nor take long. Everybody in a topic can send us text.

use super::identity;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wtt_connect::session::{command, prompt, route};
use wtt_connect::wire::frame::{self, Frame};
use wtt_connect::wire::intake::{Identity, Verdict, intake};
use wtt_connect::wire::{content, outgoing, reply};

/// How long the random part runs.
const BUDGET: Duration = Duration::from_millis(1500);
/// Texts of these sizes must pass through everything within [`LONGEST`]. Linear work needs a tenth of it; quadratic
/// work would take many seconds for the small one already.
const BIG_BYTES: usize = 1 << 17;
const HUGE_BYTES: usize = 1 << 20;
/// A debug build on a machine that runs the other tests at the same time is given more.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });

/// One frame of each kind, in the spellings of several server ages.
fn corpus() -> Vec<String> {
    let message = json!({"id": "m-42", "topic_id": "t-1", "topic_name": "TASK-0a1b2c3d Fix", "topic_type": "discussion",
        "sender_id": "user_9", "sender_type": "HUMAN", "sender_display_name": "Ana",
        "content": "[Model: x]\n[回复上下文]\n对象: B\n引用: q\n---\n@Alice Codex 请 run ```tests``` @小明 @all",
        "content_type": "text", "semantic_type": "post", "created_at": "2026-04-01T08:00:00.123+08:00",
        "encrypted": false, "reply_to": null, "runner_agent_id": "agent-aaaabbbbcccc",
        "mention_target_agent_ids": ["agent-aaaabbbbcccc", {"agent_id": "agent-b"}],
        "metadata": "{\"model_config\":{\"model\":\"openai-codex/gpt-5.5\",\"reasoning_effort\":\"high\"}}"});
    [
        json!({"type": "new_message", "message": message}),
        json!({"message_id": 7, "p2p_topic_id": "t", "sender_id": "u", "content": "/model a b", "timestamp": 1775030400}),
        json!({"type": "new_message", "message": {"id": "m", "topic": {"id": "t", "type": "p2p"}, "sender": {"id": "u"},
            "content": "┌─ 来源标识 ─┐\n│x│\n└─┘\n[FILE_CONTENT name=\"a\"]x[/FILE_CONTENT]", "encrypted": true}}),
        json!({"type": "action_result", "request_id": "p-1", "ok": true, "data": {"messages": [message], "topics": []}}),
        json!({"type": "action_result", "ok": false, "detail": [{"loc": ["a"], "msg": "bad"}]}),
        json!({"type": "task_status", "task": {"id": "k", "status": "doing", "title": "T"}}),
        json!({"type": "e2e_key_request", "request_id": "k1"}),
        json!({"type": "typing", "topic_id": "t", "state": "start", "ttl_ms": 60000}),
    ]
    .iter()
    .map(Value::to_string)
    .chain(["pong".to_owned(), "[TASK_STATUS] a=b\nTime: 1:00:00\nProgress: 5%\n```rust\n".to_owned()])
    .collect()
}

const PIECES: [&str; 30] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\\u0000",
    "\\ud800",
    "@",
    "＠",
    "@all",
    "/",
    "```",
    "~~~",
    "\n",
    "\u{2028}",
    "\u{200b}",
    "状态=",
    "└",
    "┌ 来源标识",
    "[/FILE_CONTENT]",
    "[Model:",
    "👩‍👧",
    "\"type\":",
    "\"content\":",
    "小明",
];

fn mutate(text: &str, rng: &mut fastrand::Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=chars.len());
        let end = rng.usize(at..=chars.len().min(at + 40));
        match rng.u8(0..5) {
            0 => drop(chars.drain(at..end)),
            1 => drop(chars.splice(at..at, PIECES[rng.usize(0..PIECES.len())].chars())),
            2 => drop(chars.splice(at..end, PIECES[rng.usize(0..PIECES.len())].chars())),
            3 => {
                let copy = chars[at..end].repeat(rng.usize(1..4));
                drop(chars.splice(at..at, copy));
            }
            _ => {
                if let Some(c) = chars.get_mut(at) {
                    *c = rng.char(..);
                }
            }
        }
    }
    chars.into_iter().collect()
}

/// Sends a text through everything that takes text of others.
fn exercise(text: &str, me: &Identity) {
    let messages = match frame::decode(text) {
        Frame::Message(message) => vec![*message],
        Frame::Result(result) => outgoing::rows(&result.data)
            .into_iter()
            .filter_map(|row| wtt_connect::wire::message::Message::decode(row).ok())
            .collect(),
        Frame::Pong | Frame::TaskStatus(_) | Frame::Request { .. } | Frame::Other(_) => vec![],
    };
    for message in messages {
        assert!(!message.dedupe_key().is_empty());
        if let Verdict::Run(job) = intake(&message, me) {
            assert!(!prompt::build(&job, &me.agent_id, true).is_empty());
            let enabled = ["codex".to_owned(), "claude-code".to_owned()];
            let defaults =
                route::Defaults { adapter: "codex", enabled: &enabled, model: None, effort: None, map: &[] };
            if let Ok(route) = route::route(&job, &defaults) {
                assert!(enabled.contains(&route.adapter));
                assert!(!route.model.as_deref().unwrap_or_default().starts_with('-'));
                assert_eq!(route::session_key(&job.scope, &route).matches(':').count(), 5);
            }
            let _ = command::parse(&job.instruction);
        }
    }
    let _ = command::parse(text);
    let pieces = reply::chunk(text, 200);
    for piece in &pieces {
        assert!(content::hidden_lines(piece).is_empty(), "{piece:?}");
        assert!(piece.chars().count() <= 200, "{piece:?}");
    }
}

#[test]
fn mutated_frames_do_no_harm() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let corpus = corpus();
    let me = identity();
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed() < BUDGET {
        let mut text = corpus[rng.usize(0..corpus.len())].clone();
        for _ in 0..rng.usize(1..4) {
            text = mutate(&text, &mut rng);
            exercise(&text, &me);
        }
        rounds += 1;
    }
    assert!(rounds > 10, "only {rounds} rounds");
}

/// Repeats `unit` as the content of a message, and as a reply, and says how long all of it took.
fn time_of(unit: &str, bytes: usize, me: &Identity) -> Duration {
    time_of_text(&unit.repeat(bytes / unit.len()), me)
}

fn time_of_text(text: &str, me: &Identity) -> Duration {
    let unit = text.get(..40).unwrap_or(text);
    let frame = json!({"id": "m", "topic_id": "t", "sender_id": "u", "sender_type": "human",
        "topic_type": "discussion", "runner_agent_id": me.agent_id, "content": text})
    .to_string();
    let start = Instant::now();
    let Frame::Message(message) = frame::decode(&frame) else { panic!("{unit:?}") };
    if let Verdict::Run(job) = intake(&message, me) {
        let _ = (prompt::build(&job, &me.agent_id, false), command::parse(&job.instruction));
    }
    let pieces = reply::chunk(text, 12_000);
    let took = start.elapsed();
    assert!(pieces.iter().all(|piece| piece.chars().count() <= 12_000), "{unit:?}");
    took
}

#[test]
fn no_pattern_is_quadratic() {
    let me = identity();
    for unit in [
        "a",
        "a ",
        "[",
        "[a]",
        "[\n",
        "]",
        "@",
        "@a ",
        "@a/@",
        "://@",
        "/@",
        "@Alice Codex",
        "@小",
        "@小明",
        "小明",
        "/",
        "`",
        "```\n",
        "```a\n",
        " ```\n",
        "~~~",
        "\n",
        "\r",
        " ",
        " \n",
        "Progress:",
        "Progress: ",
        "Progress: 1%\n",
        "Time: 1:00:00\n",
        "1:",
        "[Model: x]",
        "[Model:",
        "[Model:\n",
        "[FILE_CONTENT",
        "[FILE_CONTENT]\n",
        "[FILE_CONTENT][/FILE_CONTENT]",
        "[Agent Role Template]\n[WTT Agent Soul]",
        "[回复上下文]",
        "[回复上下文]\n",
        "┌ 来源标识\n",
        "┌\n",
        "│\n",
        "[]状态=\n",
        "🤔",
        "\u{200d}",
        "e\u{301}",
        "Status: ",
        "[STATUS] ",
        "\\",
        "\"",
    ] {
        let took = time_of(unit, BIG_BYTES, &me);
        assert!(took < LONGEST, "{unit:?}: {took:?}");
    }
}

#[test]
fn mentions_behind_a_long_gap_are_not_quadratic() {
    let gap = " ".repeat(HUGE_BYTES / 2);
    let text = format!("@builder{gap}x{}", " @builder".repeat(HUGE_BYTES / 20));
    let took = time_of_text(&text, &identity());
    assert!(took < LONGEST, "{took:?}");
}

#[test]
fn a_megabyte_is_handled_in_time() {
    for unit in ["some words, ", "请看一下"] {
        let took = time_of(unit, HUGE_BYTES, &identity());
        assert!(took < LONGEST, "{unit:?}: {took:?}");
    }
}
