//! THE key table: every setting that this version reads, once.
//!
//! Reading, error messages, `doctor` and `wtt-connect(5)` all come from it. Row order is the order of the manual.
//! Settings of features that do not exist yet are not listed; such variables are passed over with a debug line.

pub mod chat;
mod files;
mod permissions;
mod shell;
pub mod smoke;
mod voice;

use super::kind::Kind;
pub use crate::config::keys::shell::SHELL_MODES;

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// The environment variable.
    pub name: &'static str,
    /// Other spellings, read where the name itself is absent.
    pub aliases: &'static [&'static str],
    /// What values are accepted.
    pub kind: Kind,
    /// What is used when it is not set, for people.
    pub default: &'static str,
    /// Never shown.
    pub secret: bool,
    /// What it does: full sentences.
    pub meaning: &'static str,
    /// A value that makes sense.
    pub example: &'static str,
}

impl Key {
    /// The name in a JSON file: `WTT_CONNECT_AGENT_ALIASES` is `agentAliases`, `WTT_AGENT_ID` is `agentId`.
    pub fn json_name(&self) -> String {
        camel(self.name)
    }
}

/// Drops `WTT_` or `WTT_CONNECT_` and writes the rest in camel case.
pub fn camel(name: &str) -> String {
    let bare = name.strip_prefix("WTT_CONNECT_").or_else(|| name.strip_prefix("WTT_")).unwrap_or(name);
    let mut out = String::new();
    for (i, word) in bare.split('_').enumerate() {
        let lower = word.to_ascii_lowercase();
        if i == 0 {
            out.push_str(&lower);
        } else {
            out.push_str(&lower[..1.min(lower.len())].to_ascii_uppercase());
            out.push_str(&lower[1.min(lower.len())..]);
        }
    }
    out
}

/// The log filter: the one `WTT_*` variable that is read from the environment even for a named profile.
pub const LOG: &str = "WTT_CONNECT_LOG";
/// Names an env file, like `--env-file`.
pub const ENV_FILE: &str = "WTT_CONNECT_ENV_FILE";
/// Names a JSON file, like `--config`.
pub const CONFIG_FILE: &str = "WTT_CONNECT_CONFIG";

/// Looks a key up by its name or one of its aliases.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|k| k.name == name || k.aliases.contains(&name))
}

/// Of CLIs that speak the Agent Client Protocol besides their own output.
const ACP_TRANSPORTS: &[&str] = &["one-shot", "acp"];

/// A row without aliases that is no secret.
const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> Key {
    Key { name, aliases: &[], kind, default, secret: false, meaning: told(meaning), example: told(example) }
}

/// A text that only the manual shows. It is rendered by tests, so release builds do without: 20 KB less.
const fn told(text: &'static str) -> &'static str {
    if cfg!(debug_assertions) { text } else { "" }
}

/// All settings of this version, group by group. A group that is about one capability has a file of its own.
pub fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().copied().flatten()
}

static GROUPS: &[&[Key]] =
    &[CORE, chat::CHAT, files::KEYS, voice::KEYS, shell::HOST, permissions::KEYS, smoke::KEYS];

/// Identity, addresses, agents, limits.
static CORE: &[Key] = &[
    key(
        "WTT_BASE_URL",
        Kind::BaseUrl,
        "https://www.waxbyte.com",
        "The service. HTTP requests go below this address, and the WebSocket address is derived from it.",
        "https://www.waxbyte.com",
    ),
    key(
        "WTT_WS_URL",
        Kind::WsUrl,
        "derived from WTT_BASE_URL",
        "The WebSocket address, when it is not where the base URL says. The agent id is appended unless the address already ends in it.",
        "wss://ws.example.net/ws",
    ),
    key(
        "WTT_AGENT_ID",
        Kind::AgentId,
        "none; must be set",
        "The identity under which the connector speaks. It always works as a mention.",
        "agent-alice",
    ),
    Key {
        name: "WTT_TOKEN",
        aliases: &["WTT_AGENT_TOKEN"],
        kind: Kind::Token,
        default: "none; must be set",
        secret: true,
        meaning: told("The token of that identity. It is never shown, logged or passed to an agent."),
        example: told("'wtt-tok-alice'"),
    },
    Key {
        name: "WTT_HTTP_TOKEN",
        aliases: &[],
        kind: Kind::Token,
        default: "WTT_TOKEN",
        secret: true,
        meaning: told("A separate token for HTTP requests, for deployments that hand out two."),
        example: told("'wtt-http-alice'"),
    },
    key(
        "WTT_CONNECT_ADAPTER",
        Kind::Adapter,
        "the first of WTT_CONNECT_ADAPTERS, else codex",
        "The agent CLI that answers when a message does not ask for another one.",
        "claude-code",
    ),
    key(
        "WTT_CONNECT_ADAPTERS",
        Kind::Adapters,
        "WTT_CONNECT_ADAPTER alone",
        "All agent CLIs that messages may ask for, by mention or by model. The default adapter always belongs to them. Names that this version cannot drive are passed over with a warning.",
        "codex,claude-code",
    ),
    key(
        "WTT_CONNECT_WORKDIR",
        Kind::Path,
        "~/.wtt-connect/<agent id>",
        "Where agents work. Created when missing. Keep it stable: agents find their earlier sessions by it.",
        "/data/workspaces/alice",
    ),
    key(
        "WTT_CONNECT_MODE",
        Kind::Mode,
        "full-auto",
        "What agents may do without asking: full-auto does not ask, auto-edit edits files without asking, suggest asks or only reads, yolo switches every safety off and needs WTT_CONNECT_ALLOW_YOLO=1.",
        "auto-edit",
    ),
    key(
        "WTT_CONNECT_ALLOW_YOLO",
        Kind::Flag,
        "0",
        "Permits the mode yolo. Without it the connector does not start in that mode.",
        "1",
    ),
    key(
        "WTT_CONNECT_AGENT_ALIASES",
        Kind::List,
        "none",
        "More names, without the @, that mention this agent in discussion and collaborative topics.",
        "alice,al",
    ),
    key(
        "WTT_CONNECT_MODEL",
        Kind::Text,
        "the agent CLI's own",
        "The model when a message names none; a message's own choice always wins.",
        "gpt-5.5",
    ),
    key(
        "WTT_CONNECT_EFFORT",
        Kind::Text,
        "the agent CLI's own",
        "The reasoning effort when a message names none.",
        "high",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_MODE",
        Kind::Word(crate::config::model_switch::MODES),
        "off",
        "A program that is run before each answer and points the agent CLIs to the provider of its model: cc-switch is cc-switch-cli, command is a program of your own with the same words, custom is a whole command line. It runs when a message, the map or WTT_CONNECT_MODEL says model or provider. Switching and answering then happen for one topic at a time.",
        "cc-switch",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_COMMAND",
        Kind::Command,
        "cc-switch in mode cc-switch",
        "The switcher's program for the modes cc-switch and command. It gets no input and none of the connector's secrets.",
        "/opt/bin/cc-switch",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_ARGS",
        Kind::Arguments,
        "[\"--app\",\"{app}\",\"use\",\"{provider}\"] in mode cc-switch, [\"use\",\"{adapter}\",\"{provider}\",\"--model\",\"{model}\"] in mode command",
        "The switcher's arguments for the modes cc-switch and command. {adapter} is a name like claude-code, {app} is what cc-switch calls it, like claude. cc-switch-cli takes no model, so its default arguments name none: the model is always given to the agent itself.",
        "[\"use\",\"{provider}\"]",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_TEMPLATE",
        Kind::Template,
        "none",
        "The switcher's command line for the mode custom. It is split into words before the values are filled in, so that no value can become another argument.",
        "cc-switch use {adapter} {provider} --model {model}",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_STRICT",
        Kind::Flag,
        "0",
        "Whether an answer fails when the switcher does. Otherwise that is logged, and the agent runs as it is set up.",
        "1",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_TIMEOUT_MS",
        Kind::Number { min: 100, max: 600_000 },
        "15000",
        "A switcher that takes longer, in milliseconds, is ended and has failed.",
        "5000",
    ),
    key(
        "WTT_CONNECT_MODEL_PROVIDER_MAP",
        Kind::ProviderMap,
        "none",
        "Which adapter and which provider serve which models; * and ? stand for any text and any character, and the longest pattern that fits counts. It decides the adapter when a message names a model but no adapter. A pattern like deepseek/* says that the part before the slash is no part of the model's name.",
        "{\"openai-codex/*\":{\"adapter\":\"codex\",\"provider\":\"openai\"}}",
    ),
    key(
        "WTT_CONNECT_STATE_DIR",
        Kind::Path,
        "~/.local/state/wtt-connect/<profile>",
        "Where sessions, the journal and unsent replies are kept. One per identity, never shared. Without a profile the folder is named <agent id>-<adapter>.",
        "/var/lib/wtt/alice",
    ),
    key(
        "WTT_CONNECT_STORE_FILE",
        Kind::Path,
        "state.json in the state directory",
        "The session file, when it is to lie elsewhere.",
        "/var/lib/wtt/alice.json",
    ),
    key(
        "WTT_CONNECT_INBOX_DIR",
        Kind::Path,
        "inbox in the state directory",
        "Where files that people send are kept.",
        "/data/inbox",
    ),
    key(
        "WTT_CONNECT_ARTIFACT_DIR",
        Kind::Path,
        "artifacts in the state directory",
        "Where files that the connector makes for sending are kept.",
        "/data/artifacts",
    ),
    key(
        "WTT_CONNECT_PUBLISH_PROGRESS",
        Kind::Flag,
        "0",
        "Also publishes progress as [TASK_STATUS] lines in the topic, beside the typing status.",
        "1",
    ),
    key(
        "WTT_CONNECT_CODEX_COMMAND",
        Kind::Command,
        "codex, looked up on PATH",
        "The program that runs Codex, with leading arguments, quoted like words of a shell.",
        "/opt/codex/bin/codex --profile work",
    ),
    key(
        "WTT_CONNECT_CLAUDE_CODE_COMMAND",
        Kind::Command,
        "claude, looked up on PATH",
        "The program that runs Claude Code, with leading arguments, quoted like words of a shell.",
        "/opt/claude/bin/claude",
    ),
    key(
        "WTT_CONNECT_GEMINI_COMMAND",
        Kind::Command,
        "gemini, looked up on PATH",
        "The program that runs Gemini CLI, with leading arguments, quoted like words of a shell.",
        "/opt/gemini/bin/gemini",
    ),
    key(
        "WTT_CONNECT_OPENCODE_COMMAND",
        Kind::Command,
        "opencode, looked up on PATH",
        "The program that runs OpenCode, with leading arguments, quoted like words of a shell.",
        "/opt/opencode/bin/opencode",
    ),
    key(
        "WTT_CONNECT_KIMI_COMMAND",
        Kind::Command,
        "kimi, looked up on PATH",
        "The program that runs Kimi, with leading arguments, quoted like words of a shell.",
        "/opt/kimi/bin/kimi",
    ),
    key(
        "WTT_CONNECT_CURSOR_COMMAND",
        Kind::Command,
        "cursor-agent, else Cursor's agent, looked up on PATH",
        "The program that runs Cursor, with leading arguments, quoted like words of a shell.",
        "/opt/cursor/cursor-agent",
    ),
    key(
        "WTT_CONNECT_QODER_COMMAND",
        Kind::Command,
        "qodercli, looked up on PATH",
        "The program that runs Qoder, with leading arguments, quoted like words of a shell.",
        "/opt/qoder/bin/qodercli",
    ),
    key(
        "WTT_CONNECT_CRUSH_COMMAND",
        Kind::Command,
        "crush, looked up on PATH",
        "The program that runs Crush, with leading arguments, quoted like words of a shell.",
        "/opt/crush/crush",
    ),
    key(
        "WTT_CONNECT_PI_COMMAND",
        Kind::Command,
        "pi, looked up on PATH",
        "The program that runs Pi, with leading arguments, quoted like words of a shell.",
        "/opt/pi/bin/pi --provider anthropic",
    ),
    key(
        "WTT_CONNECT_ACP_COMMAND",
        Kind::Command,
        "claude-agent-acp or codex-acp, looked up on PATH",
        "The agent of the adapter acp: any program that speaks the Agent Client Protocol on its standard input and output, with its arguments. For cursor-agent, devin, gemini, goose, iflow, kimi, opencode, qodercli and qwen the name alone is enough.",
        "qwen",
    ),
    key(
        "WTT_CONNECT_DEVIN_COMMAND",
        Kind::Command,
        "devin, looked up on PATH",
        "The program that runs Devin, with leading arguments, quoted like words of a shell.",
        "/opt/devin/bin/devin",
    ),
    key(
        "WTT_CONNECT_IFLOW_COMMAND",
        Kind::Command,
        "iflow, looked up on PATH",
        "The program that runs iFlow, with leading arguments, quoted like words of a shell.",
        "/opt/iflow/bin/iflow",
    ),
    key(
        "WTT_CONNECT_CODEX_TRANSPORT",
        Kind::Word(&["exec", "app-server"]),
        "exec in the modes full-auto and yolo, app-server in the others and with WTT_CONNECT_BUSY=steer",
        "How Codex is spoken to. exec runs once per message and can never ask; app-server stays between messages, can ask before it does something, and takes further messages while it works.",
        "app-server",
    ),
    key(
        "WTT_CONNECT_CLAUDE_CODE_TRANSPORT",
        Kind::Word(&["one-shot", "stream"]),
        "one-shot in the modes full-auto and yolo, stream in the others, for images, and with WTT_CONNECT_BUSY=steer",
        "How Claude Code is spoken to. one-shot runs once per message and can never ask; stream stays between messages, can ask before it does something, and takes further messages while it works.",
        "stream",
    ),
    key(
        "WTT_CONNECT_GEMINI_TRANSPORT",
        Kind::Word(ACP_TRANSPORTS),
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Gemini CLI is spoken to. one-shot runs once per message and can never ask; acp stays between messages and can ask before it does something.",
        "acp",
    ),
    key(
        "WTT_CONNECT_QODER_TRANSPORT",
        Kind::Word(ACP_TRANSPORTS),
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Qoder is spoken to. one-shot runs once per message and can never ask; acp stays between messages and can ask before it does something.",
        "acp",
    ),
    key(
        "WTT_CONNECT_OPENCODE_TRANSPORT",
        Kind::Word(ACP_TRANSPORTS),
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How OpenCode is spoken to. one-shot runs once per message and can never ask; acp stays between messages and can ask before it does something.",
        "acp",
    ),
    key(
        "WTT_CONNECT_KIMI_TRANSPORT",
        Kind::Word(ACP_TRANSPORTS),
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Kimi Code is spoken to. one-shot runs once per message and can never ask; acp stays between messages and can ask before it does something.",
        "acp",
    ),
    key(
        "WTT_CONNECT_CURSOR_TRANSPORT",
        Kind::Word(ACP_TRANSPORTS),
        "one-shot",
        "How Cursor is spoken to. one-shot runs once per message and can never ask; acp stays between messages and can ask before it does something.",
        "acp",
    ),
    key(
        "WTT_CONNECT_PI_TRANSPORT",
        Kind::Word(&["one-shot", "rpc"]),
        "one-shot, rpc with WTT_CONNECT_BUSY=steer",
        "How Pi is spoken to. Both run once per message; rpc takes further messages while it works.",
        "rpc",
    ),
    key(
        "WTT_CONNECT_FIRST_EVENT_SECONDS",
        Kind::Seconds { min: 1, max: 86_400 },
        "120",
        "An agent that has said nothing at all after this time is stopped, and the message answered with the reason.",
        "60",
    ),
    key(
        "WTT_CONNECT_IDLE_SECONDS",
        Kind::Seconds { min: 1, max: 86_400 },
        "900",
        "An agent that falls silent for this long in the middle of its work is stopped.",
        "1800",
    ),
    key(
        "WTT_CONNECT_TURN_SECONDS",
        Kind::Seconds { min: 1, max: 604_800 },
        "7200",
        "The longest time that one answer may take in all.",
        "14400",
    ),
    key(
        "WTT_CONNECT_SESSION_IDLE_SECONDS",
        Kind::Seconds { min: 1, max: 86_400 },
        "10",
        "The thread of a topic ends after this time without messages. Nothing is lost by it: the session is resumed.",
        "60",
    ),
    key(
        "WTT_CONNECT_AGENT_IDLE_SECONDS",
        Kind::Seconds { min: 0, max: 86_400 },
        "300",
        "An agent that can answer more than one message is kept for this long after each, so that the next answer starts sooner. 0 ends it with every answer.",
        "60",
    ),
    key(
        "WTT_CONNECT_MAX_AGENTS",
        Kind::Number { min: 1, max: 1_000 },
        "8",
        "So many agents run at once, kept ones included; messages for further topics wait and the status says so. A coding agent takes 150 to 250 MiB of memory.",
        "2",
    ),
    key(
        "WTT_CONNECT_AUTO_REEXEC",
        Kind::Flag,
        "0",
        "Starts the new program when the program file was replaced by an update: in the same process, when no agent is running and no terminal is open; it waits an hour for terminals. Otherwise `status` says that a restart is due.",
        "1",
    ),
    key(
        "WTT_CONNECT_CATCH_UP_MINUTES",
        Kind::Minutes { min: 0, max: 10_080 },
        "60",
        "Messages that came while the connector was away are answered when they are not older than this. 0 answers none of them.",
        "240",
    ),
    key(
        "WTT_CONNECT_CA_FILE",
        Kind::Path,
        "SSL_CERT_FILE, else NODE_EXTRA_CA_CERTS, else none",
        "A PEM file with certificates to trust beside the built-in ones, as some companies need.",
        "/etc/ssl/company.pem",
    ),
    key(
        LOG,
        Kind::Filter,
        "RUST_LOG, else info",
        "How much is logged to stderr: error, warn, info or debug, also by module. Read from the environment even for a named profile.",
        "info,wtt_connect::session=debug",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_well_formed_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for key in all() {
            for name in std::iter::once(&key.name).chain(key.aliases) {
                assert!(name.starts_with("WTT_"), "{name}");
                let is_plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
                assert!(name.bytes().all(is_plain), "{name}");
                assert!(seen.insert(*name), "{name} twice");
            }
            assert!(seen.insert(Box::leak(key.json_name().into_boxed_str())), "{} twice", key.json_name());
            assert!(key.meaning.ends_with('.'), "{}: sentences end in a full stop", key.name);
            assert!(!key.default.is_empty() && !key.example.is_empty(), "{}", key.name);
            let example = key.example.trim_matches('\'');
            assert_eq!(key.kind.check(example), Ok(()), "the example of {} is wrong", key.name);
        }
    }

    #[test]
    fn secrets_are_marked() {
        for key in all() {
            let sounds_secret = ["TOKEN", "API_KEY", "PASSWORD"].iter().any(|word| key.name.contains(word));
            assert_eq!(key.secret, sounds_secret, "{}", key.name);
        }
    }

    #[test]
    fn json_names() {
        assert_eq!(find("WTT_AGENT_ID").unwrap().json_name(), "agentId");
        assert_eq!(find("WTT_CONNECT_AGENT_ALIASES").unwrap().json_name(), "agentAliases");
        assert_eq!(find("WTT_AGENT_TOKEN").unwrap().json_name(), "token");
    }
}
