//! Hostile input must not take long: no text makes quadratic work. Everybody in a topic can send us text. That it does
//! no other harm is what `tests/fuzzing.rs` tries.

use super::identity;
use crate::support::watch::computed;
use serde_json::json;
use std::time::Duration;
use wtt_connect::session::{chat_command, prompt};
use wtt_connect::wire::frame::{self, Frame};
use wtt_connect::wire::identity::Identity;
use wtt_connect::wire::intake::{Verdict, intake};
use wtt_connect::wire::outbound_text;

/// Texts of these sizes must pass through everything within [`LONGEST`]. Linear work needs a tenth of it; quadratic
/// work would take many seconds for the small one already.
const BIG_BYTES: usize = 1 << 17;
const HUGE_BYTES: usize = 1 << 20;
/// A debug build on a machine that runs the other tests at the same time is given more.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });

/// Repeats `unit` as the content of a message, and as a reply, and says how long all of it took.
fn time_of(unit: &str, bytes: usize, me: &Identity) -> Duration {
    time_of_text(&unit.repeat(bytes / unit.len()), me)
}

fn time_of_text(text: &str, me: &Identity) -> Duration {
    let unit = text.get(..40).unwrap_or(text);
    let frame = json!({"id": "m", "topic_id": "t", "sender_id": "u", "sender_type": "human",
        "topic_type": "discussion", "runner_agent_id": me.agent_id, "content": text})
    .to_string();
    let mut pieces = Vec::new();
    let took = computed(|| {
        let Frame::Message(message) = frame::decode(&frame) else { panic!("{unit:?}") };
        if let Verdict::Run(job) = intake(&message, me) {
            let _ = (prompt::build(&job, &me.agent_id, false), chat_command::parse(&job.instruction));
        }
        pieces = outbound_text::chunk(text, 12_000);
    });
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
