//! Slash commands that are the agent's: carried out in its own way, or answered with what it can do.

use super::text;
use crate::support::daemon::{AGENT, Connector, Home, Wtt};
use serde_json::json;
use wtt_connect::local::service::MessageAuthor;

/// A fake Claude Code that says what its prompt begins with, and works on commands without a word, as the real one.
const CLAUDE: &str = r#"prompt=$(cat); first=$(printf '%s' "$prompt" | head -n 1)
for word; do case $word in --session-id=* | --resume=*) id=${word#*=} ;; esac; done
case $first in /compact*) echo "$first" >>"$HOME/compacted"; first= ;; *) first="got [$first]" ;; esac
printf '{"type":"system","subtype":"init","session_id":"%s"}\n' "$id"
printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s"}\n' "$first" "$id""#;

/// What the web sends for a slash command.
fn forwarded(wtt: &Wtt, topic: &str, command: &str) {
    let meta = json!({"metadata": {"slash_type": "agent_passthrough", "slash_command": command, "command_target_agent_id": AGENT}});
    wtt.service.post_message(topic, MessageAuthor::Human, command, meta);
}

fn start(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
    std::fs::write(home.path().join("claude.sh"), CLAUDE).unwrap();
    let claude = format!("/bin/sh {}", home.path().join("claude.sh").display());
    let agent = format!("/bin/sh {}/tests/agents/ok.sh", env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![
        ("WTT_CONNECT_CLAUDE_CODE_COMMAND", claude.as_str()),
        ("WTT_CONNECT_ADAPTERS", "claude-code,codex,gemini,crush"),
        ("WTT_CONNECT_CRUSH_COMMAND", agent.as_str()),
        ("WTT_CONNECT_GEMINI_COMMAND", agent.as_str()),
        ("WTT_CONNECT_CODEX_COMMAND", agent.as_str()),
    ];
    all.extend(env);
    Connector::start(wtt, home, &all)
}

#[test]
fn claude_gets_its_commands_as_they_are_and_messages_defused() {
    for transport in ["one-shot", "stream"] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let _connector = start(&wtt, &home, &[("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", transport)]);
        let topic = wtt.p2p();
        wtt.say(&topic, "/compact");
        wtt.answer(&topic, "nothing to compact");
        forwarded(&wtt, &topic, "/review the last commit");
        wtt.answer(&topic, "got [/review the last commit]");
        wtt.say(&topic, "/compact keep the plan");
        wtt.answer(&topic, "`/compact` is done");
        wtt.say(&topic, "@agent-001 /context");
        wtt.answer(&topic, "got [/context]");
        wtt.say(&topic, "/etc/hosts is broken");
        let answer = text(&wtt.answer(&topic, if transport == "stream" { "" } else { "got [Message:]" }));
        assert!(!answer.contains("got [/etc"), "{answer}");
        let compacted = std::fs::read_to_string(home.path().join("compacted")).unwrap();
        assert_eq!(compacted, "/compact keep the plan\n");
    }
}

#[test]
fn an_agent_without_commands_says_what_it_can_do() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = start(&wtt, &home, &[("WTT_CONNECT_ADAPTER", "crush")]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/compact");
    wtt.answer(&topic, "Crush compacts a conversation by itself");
    forwarded(&wtt, &topic, "/plan");
    wtt.answer(&topic, "Crush cannot run `/plan` from here. It takes: no commands, only messages.");
    forwarded(&wtt, &topic, "/permissions");
    wtt.answer(&topic, "Mode: full-auto");
    // it reads commands of its user's, but has none for this
    wtt.say(&topic, "/adapter gemini");
    wtt.answer(&topic, "answered by Gemini");
    wtt.say(&topic, "/compact");
    wtt.answer(&topic, "Gemini CLI compacts a conversation by itself");
    wtt.say(&topic, "/adapter codex");
    wtt.answer(&topic, "answered by Codex");
    forwarded(&wtt, &topic, "/approvals");
    wtt.answer(&topic, "Mode: full-auto");
    forwarded(&wtt, &topic, "/diff");
    wtt.answer(&topic, "Codex cannot run `/diff` from here. It takes: /compact, /review.");
    wtt.say(&topic, "/tmp is full");
    wtt.answer(&topic, " bytes");
}

#[test]
fn in_which_form_each_agent_takes_them() {
    use wtt_connect::agent::slash_commands::{SlashSupport, slash_support};
    let mut request = crate::acp::player::request();
    for (adapter, transport, want) in [
        ("claude-code", Some("stream"), SlashSupport::Prompt(Some("one-shot"))),
        ("codex", None, SlashSupport::Only(&["/compact", "/review"], "app-server")),
        ("pi", None, SlashSupport::Prompt(Some("rpc"))),
        ("opencode", None, SlashSupport::Prompt(Some("acp"))),
        ("kimi", None, SlashSupport::Prompt(Some("acp"))),
        ("gemini", None, SlashSupport::NoCompact),
        ("gemini", Some("acp"), SlashSupport::Prompt(None)),
        ("acp", None, SlashSupport::Prompt(None)),
        ("qoder", None, SlashSupport::NoCompact),
        ("qoder", Some("acp"), SlashSupport::Prompt(None)),
        ("cursor", None, SlashSupport::None),
        ("cursor", Some("acp"), SlashSupport::Prompt(None)),
        ("crush", None, SlashSupport::None),
    ] {
        request.transport = transport.map(str::to_owned);
        assert_eq!(
            slash_support(wtt_connect::agent::adapters::find(adapter).unwrap(), &request),
            want,
            "{adapter}"
        );
    }
}
