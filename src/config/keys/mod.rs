//! THE table of settings: all settings that this version reads.
//!
//! The readers, error messages, `doctor` and `wtt-connect(5)` all use it. Its order is the order of the manual. Unknown
//! variables are ignored.

pub mod chat;
mod files;
mod permissions;
mod shell;
pub mod smoke;
mod spec;
pub mod voice;

use super::kind::SettingKind;
pub use spec::{SettingSpec, camel};
use spec::{acp_transport, command, key, secret, switch};

/// The log filter: the one `WTT_*` variable that is read from the environment even with a profile.
pub const LOG: &str = "WTT_CONNECT_LOG";
/// Names an env file, like `--env-file`.
pub const ENV_FILE: &str = "WTT_CONNECT_ENV_FILE";
/// Names a JSON file, like `--config`.
pub const CONFIG_FILE: &str = "WTT_CONNECT_CONFIG";

/// Finds a setting by its name or one of its aliases.
pub fn find(name: &str) -> Option<&'static SettingSpec> {
    all().find(|k| k.name == name || k.aliases.contains(&name))
}

/// All settings, group by group.
pub fn all() -> impl Iterator<Item = &'static SettingSpec> {
    GROUPS.iter().copied().flatten()
}

static GROUPS: &[&[SettingSpec]] =
    &[CORE, chat::CHAT, files::KEYS, voice::KEYS, shell::HOST, permissions::KEYS, smoke::KEYS];

/// The settings of identity, addresses, agents and limits.
static CORE: &[SettingSpec] = &[
    key(
        "WTT_BASE_URL",
        SettingKind::BaseUrl,
        "https://www.waxbyte.com",
        "The address of the service. HTTP requests go below it, and the WebSocket address is derived from it.",
        "https://www.waxbyte.com",
    ),
    key(
        "WTT_WS_URL",
        SettingKind::WsUrl,
        "derived from WTT_BASE_URL",
        "The WebSocket address, if it cannot be derived from the base URL. The agent id is appended unless the address already ends in it.",
        "wss://ws.example.net/ws",
    ),
    key(
        "WTT_AGENT_ID",
        SettingKind::AgentId,
        "none; required",
        "The identity of the connector. It always works as a mention.",
        "agent-alice",
    ),
    SettingSpec {
        aliases: &["WTT_AGENT_TOKEN"],
        ..secret(
            "WTT_TOKEN",
            SettingKind::Token,
            "none; required",
            "The token of that identity. It is never shown, logged or passed to an agent.",
            "'wtt-tok-alice'",
        )
    },
    secret(
        "WTT_HTTP_TOKEN",
        SettingKind::Token,
        "WTT_TOKEN",
        "A separate token for HTTP requests, for deployments with two tokens.",
        "'wtt-http-alice'",
    ),
    key(
        "WTT_CONNECT_ADAPTER",
        SettingKind::Adapter,
        "the first one of WTT_CONNECT_ADAPTERS, or else codex",
        "The agent CLI that answers if a message does not ask for another one.",
        "claude-code",
    ),
    key(
        "WTT_CONNECT_ADAPTERS",
        SettingKind::Adapters,
        "WTT_CONNECT_ADAPTER alone",
        "All agent CLIs that messages may ask for, by mention or by model. The default adapter is always included. Names that this version does not support are ignored with a warning.",
        "codex,claude-code",
    ),
    key(
        "WTT_CONNECT_WORKDIR",
        SettingKind::Path,
        "~/.wtt-connect/<agent id>",
        "The working directory of agents, created if it does not exist. Agents find their earlier sessions by it, so a change starts new sessions.",
        "/data/workspaces/alice",
    ),
    key(
        "WTT_CONNECT_MODE",
        SettingKind::Mode,
        "full-auto",
        "What agents may do without asking. full-auto: everything. auto-edit: edit files. suggest: read only, or ask. yolo: everything, with every safeguard switched off; requires WTT_CONNECT_ALLOW_YOLO=1. wtt-connect(1), ADAPTERS, says what each means for each agent CLI.",
        "auto-edit",
    ),
    switch(
        "WTT_CONNECT_ALLOW_YOLO",
        "Permits the mode yolo. Without this setting the connector does not start in that mode.",
    ),
    key(
        "WTT_CONNECT_AGENT_ALIASES",
        SettingKind::List,
        "none",
        "More names, without the @, that mention this agent in discussion and collaborative topics.",
        "alice,al",
    ),
    key(
        "WTT_CONNECT_MODEL",
        SettingKind::Text,
        "the default of the agent CLI",
        "The model for messages that name none.",
        "gpt-5.5",
    ),
    key(
        "WTT_CONNECT_EFFORT",
        SettingKind::Text,
        "the default of the agent CLI",
        "The reasoning effort for messages that name none.",
        "high",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_MODE",
        SettingKind::Word(&["off", "cc-switch", "command", "custom"]),
        "off",
        "A program that runs before each answer and switches the agent CLIs to the provider of the model. cc-switch: cc-switch-cli. command: your own program with similar arguments. custom: a complete command line. It runs if a message, the map or WTT_CONNECT_MODEL names a model or provider. Such answers run for one topic at a time.",
        "cc-switch",
    ),
    command(
        "WTT_CONNECT_MODEL_SWITCH_COMMAND",
        "cc-switch in mode cc-switch",
        "The program of the switcher in the modes cc-switch and command. It gets no input and none of the connector's secrets.",
        "/opt/bin/cc-switch",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_ARGS",
        SettingKind::Arguments,
        "[\"--app\",\"{app}\",\"use\",\"{provider}\"] in mode cc-switch, [\"use\",\"{adapter}\",\"{provider}\",\"--model\",\"{model}\"] in mode command",
        "The arguments of the switcher in the modes cc-switch and command. {adapter} is a name such as claude-code, and {app} the name that cc-switch uses for it, such as claude. cc-switch-cli does not accept a model, so its default arguments have none; the model is always passed to the agent itself.",
        "[\"use\",\"{provider}\"]",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_TEMPLATE",
        SettingKind::Template,
        "none",
        "The command line of the switcher in the mode custom. It is split into words before the values are inserted, so that no value can become another argument.",
        "cc-switch use {adapter} {provider} --model {model}",
    ),
    switch(
        "WTT_CONNECT_MODEL_SWITCH_STRICT",
        "Whether an answer fails if the switcher fails. Otherwise the failure is logged, and the agent runs without switching.",
    ),
    key(
        "WTT_CONNECT_MODEL_SWITCH_TIMEOUT_MS",
        SettingKind::Number { min: 100, max: 600_000 },
        "15000",
        "The time limit of the switcher in milliseconds. After that it is killed and has failed.",
        "5000",
    ),
    key(
        "WTT_CONNECT_MODEL_PROVIDER_MAP",
        SettingKind::ProviderMap,
        "none",
        "Which adapter and provider serve which models. * matches any text and ? any character; the longest matching pattern wins. The map decides the adapter if a message names a model but no adapter. A pattern such as deepseek/* means that the part before the slash does not belong to the model's name.",
        "{\"openai-codex/*\":{\"adapter\":\"codex\",\"provider\":\"openai\"}}",
    ),
    key(
        "WTT_CONNECT_STATE_DIR",
        SettingKind::Path,
        "~/.local/state/wtt-connect/<profile>",
        "The directory of sessions, the journal and unsent replies. Each identity needs its own. Without a profile it is named <agent id>-<adapter>.",
        "/var/lib/wtt/alice",
    ),
    key(
        "WTT_CONNECT_STORE_FILE",
        SettingKind::Path,
        "state.json in the state directory",
        "The path of the session file, if it should be elsewhere.",
        "/var/lib/wtt/alice.json",
    ),
    key(
        "WTT_CONNECT_INBOX_DIR",
        SettingKind::Path,
        "inbox in the state directory",
        "The directory of files that people send.",
        "/data/inbox",
    ),
    key(
        "WTT_CONNECT_ARTIFACT_DIR",
        SettingKind::Path,
        "artifacts in the state directory",
        "The directory of files that the connector itself creates for sending.",
        "/data/artifacts",
    ),
    switch(
        "WTT_CONNECT_PUBLISH_PROGRESS",
        "Also publishes progress as [TASK_STATUS] lines in the topic, in addition to the typing status.",
    ),
    command(
        "WTT_CONNECT_CODEX_COMMAND",
        "codex, looked up on PATH",
        "The program that runs Codex, optionally with arguments, quoted as in a shell.",
        "/opt/codex/bin/codex --profile work",
    ),
    command(
        "WTT_CONNECT_CLAUDE_CODE_COMMAND",
        "claude, looked up on PATH",
        "The program that runs Claude Code, optionally with arguments, quoted as in a shell.",
        "/opt/claude/bin/claude",
    ),
    command(
        "WTT_CONNECT_GEMINI_COMMAND",
        "gemini, looked up on PATH",
        "The program that runs Gemini CLI, optionally with arguments, quoted as in a shell.",
        "/opt/gemini/bin/gemini",
    ),
    command(
        "WTT_CONNECT_OPENCODE_COMMAND",
        "opencode, looked up on PATH",
        "The program that runs OpenCode, optionally with arguments, quoted as in a shell.",
        "/opt/opencode/bin/opencode",
    ),
    command(
        "WTT_CONNECT_KIMI_COMMAND",
        "kimi, looked up on PATH",
        "The program that runs Kimi, optionally with arguments, quoted as in a shell.",
        "/opt/kimi/bin/kimi",
    ),
    command(
        "WTT_CONNECT_CURSOR_COMMAND",
        "cursor-agent, or else Cursor's agent, looked up on PATH",
        "The program that runs Cursor, optionally with arguments, quoted as in a shell.",
        "/opt/cursor/cursor-agent",
    ),
    command(
        "WTT_CONNECT_QODER_COMMAND",
        "qodercli, looked up on PATH",
        "The program that runs Qoder, optionally with arguments, quoted as in a shell.",
        "/opt/qoder/bin/qodercli",
    ),
    command(
        "WTT_CONNECT_CRUSH_COMMAND",
        "crush, looked up on PATH",
        "The program that runs Crush, optionally with arguments, quoted as in a shell.",
        "/opt/crush/crush",
    ),
    command(
        "WTT_CONNECT_PI_COMMAND",
        "pi, looked up on PATH",
        "The program that runs Pi, optionally with arguments, quoted as in a shell.",
        "/opt/pi/bin/pi --provider anthropic",
    ),
    command(
        "WTT_CONNECT_ACP_COMMAND",
        "claude-agent-acp or codex-acp, looked up on PATH",
        "The agent of the adapter acp: any program that speaks the Agent Client Protocol on its standard input and output, with its arguments. For cursor-agent, devin, gemini, goose, iflow, kimi, opencode, qodercli and qwen the name alone is enough.",
        "qwen",
    ),
    command(
        "WTT_CONNECT_DEVIN_COMMAND",
        "devin, looked up on PATH",
        "The program that runs Devin, optionally with arguments, quoted as in a shell.",
        "/opt/devin/bin/devin",
    ),
    command(
        "WTT_CONNECT_IFLOW_COMMAND",
        "iflow, looked up on PATH",
        "The program that runs iFlow, optionally with arguments, quoted as in a shell.",
        "/opt/iflow/bin/iflow",
    ),
    key(
        "WTT_CONNECT_CODEX_TRANSPORT",
        SettingKind::Word(&["exec", "app-server"]),
        "exec in the modes full-auto and yolo, app-server in the others and with WTT_CONNECT_BUSY=steer",
        "How Codex is driven. exec: one process per message, which cannot ask for permission. app-server: a process that is kept between messages, can ask for permission, and accepts further messages during a turn.",
        "app-server",
    ),
    key(
        "WTT_CONNECT_CLAUDE_CODE_TRANSPORT",
        SettingKind::Word(&["one-shot", "stream"]),
        "one-shot in the modes full-auto and yolo, stream in the others, for images, and with WTT_CONNECT_BUSY=steer",
        "How Claude Code is driven. one-shot: one process per message, which cannot ask for permission. stream: a process that is kept between messages, can ask for permission, and accepts further messages during a turn.",
        "stream",
    ),
    acp_transport(
        "WTT_CONNECT_GEMINI_TRANSPORT",
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Gemini CLI is driven. one-shot: one process per message, which cannot ask for permission. acp: a process that is kept between messages and can ask for permission.",
    ),
    acp_transport(
        "WTT_CONNECT_QODER_TRANSPORT",
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Qoder is driven. one-shot: one process per message, which cannot ask for permission. acp: a process that is kept between messages and can ask for permission.",
    ),
    acp_transport(
        "WTT_CONNECT_OPENCODE_TRANSPORT",
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How OpenCode is driven. one-shot: one process per message, which cannot ask for permission. acp: a process that is kept between messages and can ask for permission.",
    ),
    acp_transport(
        "WTT_CONNECT_KIMI_TRANSPORT",
        "one-shot in the modes full-auto and yolo, acp in the others",
        "How Kimi Code is driven. one-shot: one process per message, which cannot ask for permission. acp: a process that is kept between messages and can ask for permission.",
    ),
    acp_transport(
        "WTT_CONNECT_CURSOR_TRANSPORT",
        "one-shot",
        "How Cursor is driven. one-shot: one process per message, which cannot ask for permission. acp: a process that is kept between messages and can ask for permission.",
    ),
    key(
        "WTT_CONNECT_PI_TRANSPORT",
        SettingKind::Word(&["one-shot", "rpc"]),
        "one-shot, rpc with WTT_CONNECT_BUSY=steer",
        "How Pi is driven. Both use one process per message; rpc accepts further messages during a turn.",
        "rpc",
    ),
    key(
        "WTT_CONNECT_FIRST_EVENT_SECONDS",
        SettingKind::Seconds { min: 1, max: 86_400 },
        "120",
        "An agent that has printed nothing after this time is stopped, and the answer gives the reason.",
        "60",
    ),
    key(
        "WTT_CONNECT_IDLE_SECONDS",
        SettingKind::Seconds { min: 1, max: 86_400 },
        "900",
        "An agent that prints nothing for this long during a turn is stopped.",
        "1800",
    ),
    key(
        "WTT_CONNECT_TURN_SECONDS",
        SettingKind::Seconds { min: 1, max: 604_800 },
        "7200",
        "The longest time that a turn may take.",
        "14400",
    ),
    key(
        "WTT_CONNECT_SESSION_IDLE_SECONDS",
        SettingKind::Seconds { min: 1, max: 86_400 },
        "10",
        "The thread of a topic ends after this time without messages. The next message resumes the session.",
        "60",
    ),
    key(
        "WTT_CONNECT_AGENT_IDLE_SECONDS",
        SettingKind::Seconds { min: 0, max: 86_400 },
        "300",
        "An agent process that can serve several messages is kept for this long after each answer, so that the next one starts sooner. With 0 it ends after each answer.",
        "60",
    ),
    key(
        "WTT_CONNECT_MAX_AGENTS",
        SettingKind::Number { min: 1, max: 1_000 },
        "8",
        "The most agent processes at once, including idle ones that are kept. Messages for further topics wait, and the status says so. A coding agent takes 150 to 250 MiB of memory.",
        "2",
    ),
    switch(
        "WTT_CONNECT_AUTO_REEXEC",
        "Starts the new program after an update has replaced the program file: in the same process, as soon as no agent is running and no terminal is open (terminals delay it by an hour at most). Without this setting `status` says that a restart is needed.",
    ),
    key(
        "WTT_CONNECT_CATCH_UP_MINUTES",
        SettingKind::Minutes { min: 0, max: 10_080 },
        "60",
        "Messages that arrived while the connector was offline are answered unless they are older than this. With 0 none of them is answered.",
        "240",
    ),
    key(
        "WTT_CONNECT_CA_FILE",
        SettingKind::Path,
        "SSL_CERT_FILE, or else NODE_EXTRA_CA_CERTS, or else none",
        "A PEM file with certificates to trust in addition to the built-in ones, for example those of a company.",
        "/etc/ssl/company.pem",
    ),
    key(
        LOG,
        SettingKind::Filter,
        "RUST_LOG, or else info",
        "What is logged: error, warn, info or debug, optionally by module. Read from the environment even with a profile.",
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
