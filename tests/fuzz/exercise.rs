//! What is done with a hostile input: one function for each kind. Used by the fuzz targets and by the seeded loop of
//! `cargo test`; an assertion that fails here is a bug in the program.

use std::path::PathBuf;
use std::sync::LazyLock;
use wtt_connect::agent::adapters;
use wtt_connect::agent::dialect::{Dialect, DialectEffects, Exit};
use wtt_connect::agent::permission::{Decision, PolicyVerdict};
use wtt_connect::agent::{TurnRequest, adapter, permission};
use wtt_connect::config::{Mode, dotenv, json, profile};
use wtt_connect::session::{chat_command, prompt, routing};
use wtt_connect::wire::frame::{self, Frame};
use wtt_connect::wire::identity::Identity;
use wtt_connect::wire::intake::{Verdict, intake};
use wtt_connect::wire::message::Message;
use wtt_connect::wire::{artifact, inbound_text, outbound_text, outgoing, topic};

fn me() -> Identity {
    Identity {
        agent_id: "agent-aaaabbbbcccc".into(),
        display_name: Some("Alice Codex".into()),
        aliases: vec!["小明".into(), "builder".into()],
    }
}

/// A frame of the service, through everything that takes it.
pub fn frame(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let messages = match frame::decode(&text) {
        Frame::Message(message) => vec![*message],
        Frame::Result(result) => {
            let _ = topic::topics(&result.data);
            outgoing::rows(&result.data).into_iter().filter_map(|row| Message::decode(row).ok()).collect()
        }
        _ => vec![],
    };
    for message in messages {
        assert!(!message.dedupe_key().is_empty());
        taken_in(&message);
    }
}

fn taken_in(message: &Message) {
    let me = me();
    let Verdict::Run(job) = intake(message, &me) else { return };
    assert!(!prompt::build(&job, &me.agent_id, true).is_empty());
    let enabled = ["codex".to_owned(), "claude-code".to_owned()];
    let defaults = routing::RoutingDefaults {
        adapter: "codex",
        chosen: None,
        mode: wtt_connect::config::Mode::FullAuto,
        enabled: &enabled,
        model: None,
        effort: None,
        map: &[],
    };
    if let Ok(route) = routing::route(&job, &defaults) {
        assert!(enabled.contains(&route.adapter));
        assert!(!route.model.as_deref().unwrap_or_default().starts_with('-'));
        assert_eq!(routing::session_key(&job.scope, &route).matches(':').count(), 5);
    }
    let _ = chat_command::parse(&job.instruction);
}

/// A text of a person in a group: mentions, gating, commands.
pub fn mention(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let row = serde_json::json!({"id": "m", "topic_id": "t", "topic_type": "discussion", "sender_id": "u",
        "sender_type": "human", "content": text});
    let Frame::Message(message) = frame::decode(&row.to_string()) else { return };
    taken_in(&message);
    let _ = chat_command::parse(&text);
}

/// A text of an agent that becomes a reply: markers, fences, lines that the web would hide.
pub fn reply(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for max in [200, 12_000] {
        for piece in outbound_text::chunk(&text, max) {
            assert!(inbound_text::hidden_lines(&piece).is_empty(), "{piece:?}");
            assert!(piece.chars().count() <= max, "{piece:?}");
        }
    }
    let (visible, wishes) = artifact::markers(&text);
    assert!(visible.len() <= text.len());
    for wish in wishes {
        let name = artifact::file_name(&wish.path);
        assert!(!name.is_empty() && !name.contains('/') && name.len() < 256, "{name:?}");
        let card = artifact::card(&name, &wish.title, &wish.path);
        assert!(card.lines().count() == 1 && card.matches("](").count() == 1, "{card:?}");
        assert!(artifact::markers(&card).1.is_empty(), "{card:?}");
    }
    let _ = (inbound_text::clean(&text), inbound_text::typed(&text), inbound_text::starts_as_progress(&text));
}

/// Fixes the adapter, so that each can be given its own time.
const ADAPTER: &str = "FUZZ_ADAPTER";

/// Whatever an adapter's transport is called; one that does not know the word takes its usual way.
const TRANSPORTS: [Option<&str>; 4] = [None, Some("one-shot"), Some("acp"), Some("app-server")];

/// The first byte chooses the adapter (unless [`ADAPTER`] does) and the transport, the second the mode; then lines, as an
/// agent would print them.
pub fn dialect(data: &[u8]) {
    static FIXED: LazyLock<Option<&adapter::AdapterSpec>> =
        LazyLock::new(|| adapters::find(&std::env::var(ADAPTER).ok()?));
    let [which, mode, rest @ ..] = data else { return };
    let adapter = FIXED.unwrap_or(adapters::ADAPTERS[usize::from(*which) % adapters::ADAPTERS.len()]);
    let transport = match (adapter.name, TRANSPORTS[usize::from(*which) / 64]) {
        ("codex", Some("one-shot")) => Some("exec"),
        ("pi", Some("acp" | "app-server")) => Some("rpc"),
        ("claude-code", Some("acp" | "app-server")) => Some("stream"),
        (_, other) => other,
    };
    let modes = [Mode::FullAuto, Mode::AutoEdit, Mode::Suggest, Mode::Yolo];
    let request = TurnRequest {
        prompt: "hello".to_owned(),
        workdir: PathBuf::from("/w"),
        model: None,
        effort: None,
        mode: modes[usize::from(*mode) % modes.len()],
        resume: (*mode >= 128).then(|| "01a201fc-49a6-73b2-93a6-9a4fe7056111".to_owned()),
        fresh_prompt: None,
        images: Vec::new(),
        transport: transport.map(str::to_owned),
        is_slash_command: false,
    };
    let mut dialect = (adapter.dialect)(&request);
    let mut effects = DialectEffects::default();
    dialect.start(&mut effects);
    let mut ends = heard(dialect.as_mut(), effects);
    for line in String::from_utf8_lossy(rest).lines() {
        if ends > 0 {
            break; // the runner does not listen any more
        }
        let mut effects = DialectEffects::default();
        dialect.on_line(line, &mut effects);
        ends += heard(dialect.as_mut(), effects);
    }
    if ends == 0 {
        let mut effects = DialectEffects::default();
        dialect.on_exit(Exit::Code(1), "", &mut effects);
        ends += heard(dialect.as_mut(), effects);
    }
    assert_eq!(ends, 1, "{}: a turn ends once", adapter.name);
    let _ = (dialect.partial_text(), dialect.classify("error: 401"));
}

/// Answers what is asked, as the runner does; how many ends there were.
fn heard(dialect: &mut dyn Dialect, effects: DialectEffects) -> usize {
    let mut ends = usize::from(effects.outcome.is_some());
    for text in effects.stdin.iter().chain(&effects.delayed_stdin) {
        assert!(text.is_empty() || text.ends_with('\n') || !dialect.keeps_stdin(), "half a line: {text:?}");
    }
    for question in effects.permission_requests {
        let mut effects = DialectEffects::default();
        let decision = match permission::decide_by_mode(Mode::AutoEdit, &question) {
            PolicyVerdict::Deny(words) => Decision::Deny(words),
            PolicyVerdict::Allow | PolicyVerdict::AskPeople => Decision::Allow,
        };
        dialect.answer(&question.id, &decision, &mut effects);
        ends += usize::from(effects.outcome.is_some());
    }
    ends
}

/// A configuration file: dotenv, JSON, the name of a profile.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (dotenv::parse(&text), json::parse(&text));
    if profile::is_name(&text) {
        assert!(!text.contains(['/', '\0', '\n']) && !text.starts_with(['-', '.']), "{text:?}");
    }
    let name = profile::default_name(&text, "codex");
    assert!(!name.contains(['/', '\0', '\n']), "{name:?}");
}
