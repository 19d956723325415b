//! wtt-connect(1), rendered from the table. The texts of sections that no table holds are here.

use super::json;
use super::roff::Page;
use wtt_connect::agent::adapters::ADAPTERS;
use wtt_connect::cli::render::help;
use wtt_connect::cli::table::{CommandSpec, FlagSpec, GLOBAL_FLAGS, ValueKind, listed};
use wtt_connect::session::chat_command;

/// Date of the last change to the texts of both pages.
pub const DATE: &str = "2026-11-30";

/// The exit codes and their meanings, the same for every command.
pub static EXIT_CODES: &[(u8, &str)] = &[
    (0, "Success. A closed stdout is not an error."),
    (
        1,
        "The command failed. For `doctor` and `status`: something needs to be fixed before messages are answered.",
    ),
    (2, "The command line is wrong."),
    (
        69,
        "A service or program that is needed is not available. For `status` and `restart`: a connector does not run.",
    ),
    (
        75,
        "A resource is in use, for example the state directory by another connector. Trying again later may help.",
    ),
    (78, "Settings, profile or token are wrong. Trying again does not help."),
    (130, "Only for `try` with a PROMPT: Ctrl-C stopped the answer."),
];

static FILES: &[(&str, &str)] = &[
    (
        "~/.config/wtt-connect/profiles/PROFILE.env",
        "A profile: one identity with its settings, see wtt-connect(5). Below `$XDG_CONFIG_HOME` if that is set.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/",
        "The state of that identity. Below `$XDG_STATE_HOME` if that is set.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/state.json",
        "Which session of which agent belongs to which topic, and which messages have been handled. Session keys have the form `wtt:topic:TOPIC:ADAPTER:MODEL:EFFORT`, or `wtt:task:...` for tasks; the agents' own ids are stored under `codexThreadId`, `claudeSessionId` and so on. It is current two seconds after the last change; the journal next to it, state.json.journal, bridges a crash (and holds more where the state is larger than 1 MiB). Further files: state.json.prev, the previous copy, and state.json.corrupt-TIME, one that could not be read.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/artifacts.json",
        "The last 500 files that were sent, as `wtt-connect artifacts` lists them. The folder uploads next to it holds copies of files that are being sent.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/outbox/",
        "Replies that the service has not acknowledged yet. Its folder failed holds replies that the service has finally refused.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/control.sock",
        "The socket through which `status`, `restart` and other commands of the same user talk to a running connector. If its path would be too long, it is a symbolic link to a socket below `$XDG_RUNTIME_DIR`.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/wtt-connect.log",
        "The log of `start --log-to-file`, with up to two older files of 10 MiB, .1 and .2.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/versions.json",
        "The versions of the agent CLIs, so that `status` does not have to run them each time.",
    ),
    (
        "~/.local/state/wtt-connect/try_history",
        "The last 500 lines that were typed at the prompt of `try`. Below `$XDG_STATE_HOME` when that is set.",
    ),
    ("~/.wtt-connect/AGENT_ID/", "The default working directory of an agent, see `WTT_CONNECT_WORKDIR`."),
    (
        "~/.config/systemd/user/wtt-connect@.service",
        "The service template on Linux, written by `up`; the service of a profile is wtt-connect@PROFILE.service. Put your own changes into a drop-in (`systemctl --user edit`). The template sets no restrictions, because agents would inherit them; install/hardened.conf is a drop-in with restrictions for dedicated hosts.",
    ),
    (
        "~/Library/LaunchAgents/com.wtt.connect.PROFILE.plist",
        "The service of a profile on macOS, written by `up`.",
    ),
    (".env", "Settings, read from the current directory if no profile is named."),
];

static SCRIPTS: &[(&str, &str)] = &[
    (
        "install.sh [--prefix DIR] [--static]",
        "Builds the program and installs it with its manual pages and completions.",
    ),
    ("start.sh [--env-file FILE]", "`start`."),
    ("install-agent.sh ADAPTER AGENT_ID TOKEN", "`up`."),
    (
        "install-systemd-user.sh, install-launchd.sh",
        "`up` with `--name`, `--agent-id`, `--token` and `--adapter` instead of operands, or with `--name` and an `--env-file` that has all of these. The name is that of the profile.",
    ),
    ("uninstall-systemd-user.sh, uninstall-launchd.sh", "`down` for the profile given by `--name`."),
];

static RELIABILITY: &[&str] = &[
    "The connector reconnects for ever, with exponential backoff and jitter, and notices a connection that died silently. A refused token is logged and retried slowly.",
    "A message is run at most once. After a crash an unfinished turn is reported as interrupted and never run again by itself, because agents have side effects.",
    "A message is answered at least once: a finished reply is on disk before it is sent, and is looked up in the topic before it is sent again. In the rare case of a duplicate both copies carry the same client id.",
    "A reply that is refused over the WebSocket is sent by HTTP. A reply that the service finally refuses is kept in the folder outbox/failed of the state directory. While 1000 replies or 64 MiB wait for the service, no new turn starts, and the topic says so.",
    "Messages that arrived while the connector was offline are fetched after each reconnect and answered once, in order, unless they are older than WTT_CONNECT_CATCH_UP_MINUTES.",
    "If a turn hits a usage limit and the CLI says when it resets, the message is kept on disk and run after the reset; /stop drops it. A time of day counts in the time zone that the CLI names, or else in that of the host.",
    "State files are never partly written. A file that cannot be read is renamed, not overwritten.",
    "Only one process can use a state directory; a second one reports that and exits.",
    "If a turn is stopped or fails, none of its processes survive. Processes that an agent has detached on purpose are terminated when the connector stops, or at the next start after a crash.",
    "The service restarts by itself after a crash and after a hang of more than a minute, without a limit. Only wrong settings end it, because a restart would not help. `down` and the end of the service terminate all agents. To the service manager, ready means that the connector runs, not that it is connected.",
    "A full or broken disk does not stop the connector: it continues from memory and logs the problem.",
    "Tokens do not appear in logs, error messages, command-line arguments, or the environment of agents. The memory of the connector is excluded from core dumps and protected from other processes of the same user.",
];

/// The page.
pub fn render() -> String {
    let mut page = Page::new("wtt-connect", 1, DATE, "User Commands");
    page.section("NAME");
    page.paragraph("wtt-connect - connect WTT topics to the coding-agent CLIs on this machine");
    page.section("SYNOPSIS");
    for command in listed() {
        page.synopsis("wtt-connect", &help::synopsis(command));
    }
    page.synopsis("wtt-connect", "--help | --version | --generate WHAT");
    page.section("DESCRIPTION");
    page.paragraph(
        "WTT is a chat and task service for people and agents. wtt-connect connects to it with one identity, receives the \
         messages that address that identity, runs a coding-agent CLI for each, shows its progress, and publishes the answer \
         in the topic.",
    );
    page.paragraph(
        "Each topic has its own session of the agent, which later messages resume. Different topics run in parallel; the \
         messages of one topic run one after the other.",
    );
    page.section("COMMANDS");
    for command in listed() {
        page.entry(command.name, command.operands, command.long[0]);
        for paragraph in &command.long[1..] {
            page.more(paragraph);
        }
    }
    page.section("OPTIONS");
    let mut seen = Vec::new();
    let of_commands = listed().flat_map(|c| c.flags);
    for flag in GLOBAL_FLAGS.iter().chain(of_commands) {
        if seen.iter().any(|known| std::ptr::eq(*known, *flag)) {
            continue;
        }
        seen.push(*flag);
        let letter = flag.letter.map_or_else(String::new, |l| format!("-{l}, "));
        page.entry(
            &format!("{letter}--{}", flag.long),
            flag.value_kind().map_or("", ValueKind::word),
            flag.long_text,
        );
        let commands = commands_with(flag);
        if !commands.is_empty() {
            page.more(&format!("Used with `{}`.", commands.join("`, `")));
        }
    }
    adapters(&mut page);
    page.section("CHOOSING AN AGENT");
    page.paragraph(
        "If `WTT_CONNECT_ADAPTERS` enables several adapters, the first of these that applies decides: the task's `exec_mode`, if it \
         is the name of an adapter; `model_config.adapter` of the message; a mention such as `@codex`, `@claude` or `@gemini`; the \
         model of the message, by `WTT_CONNECT_MODEL_PROVIDER_MAP` and then by its family (OpenAI models run with codex; Claude, \
         DeepSeek and Kimi models with claude-code); the choice of `/adapter` in the topic; `WTT_CONNECT_ADAPTER`. The model of a \
         message takes precedence over `WTT_CONNECT_MODEL`.",
    );
    page.section("FILES OF AGENTS");
    page.paragraph(
        "A line like this in an answer, outside code blocks, sends a file; the line is removed from the answer:",
    );
    page.example("[WTT_ARTIFACT_FILE path=\"report.pdf\" title=\"Project Report\"]");
    page.paragraph(
        "The path is relative to the working directory; the title may be omitted. `upload-file` does the same from a shell, and its \
         description says which files may be sent. The file follows the answer as a card, `[file:Project Report](https://...)`. \
         `WTT_CONNECT_UPLOAD_ARTIFACTS` is not needed for this.",
    );
    page.section("CHAT COMMANDS");
    page.paragraph("All messages in a topic go to the agent, except for these commands, which the connector itself handles:");
    for (word, arguments, text) in chat_command::rows() {
        let mut sentence = text.to_owned();
        sentence[..1].make_ascii_uppercase();
        page.entry(word, arguments, &format!("{sentence}."));
    }
    page.paragraph(
        "The answers are in English or Chinese, like the message. In a group a command must be addressed to this agent. Any other \
         slash command belongs to the agent: it is run if the agent accepts it from a program (Claude Code, Pi, OpenCode, Kimi, \
         agents over ACP; `/compact` and `/review` of Codex; `/init` and your own commands of Gemini CLI and Qoder); otherwise \
         the answer lists the commands that the agent accepts.",
    );
    page.paragraph(
        "A topic can be stricter than the host, never looser: `/mode` accepts the mode of `WTT_CONNECT_MODE` and all stricter \
         ones, and with `WTT_CONNECT_ALLOW_YOLO=1` all modes. Only people can use it, agents cannot. A choice that the settings \
         no longer allow has no effect.",
    );
    page.paragraph(
        "A message for a busy agent waits until the running turn has ended, and the status says so. `/steer` delivers it at once: \
         into the running turn if the agent supports that (Codex, Claude Code and Pi in their two-way forms, which \
         `WTT_CONNECT_BUSY=steer` selects; agents over ACP); otherwise the agent is interrupted and continues with both \
         messages in the same session. One answer then covers both. `WTT_CONNECT_BUSY` does the same for every message, and \
         `WTT_CONNECT_MERGE_WAITING` merges waiting messages.",
    );
    page.section("EXIT STATUS");
    for (code, text) in EXIT_CODES {
        page.entry(&code.to_string(), "", text);
    }
    page.section("JSON");
    page.paragraph(json::PROMISE);
    for (what, fields) in json::OBJECTS {
        page.entry(what, "", fields);
    }
    page.section("ENVIRONMENT");
    page.paragraph(
        "All settings can be environment variables; wtt-connect(5) lists them and their precedence. `HTTPS_PROXY`, \
         `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either letter case, are honored for all connections. `NO_COLOR` \
         switches colors off.",
    );
    page.section("FILES");
    for (path, text) in FILES {
        page.entry(path, "", text);
    }
    page.section("RELIABILITY");
    for promise in RELIABILITY {
        page.paragraph(promise);
    }
    page.section("SCRIPTS");
    page.paragraph(
        "The folder install of the source has thin wrappers around these commands, under the names of the original connector. They \
         accept the flags of the wrapped command as well, and `WTT_CONNECT_BIN` names the program if it is not on PATH.",
    );
    for (script, text) in SCRIPTS {
        page.entry(script, "", text);
    }
    page.section("EXAMPLES");
    page.paragraph("Chat with an installed agent, without an account:");
    page.example("wtt-connect try");
    page.paragraph("Ask one question, from a script:");
    page.example("wtt-connect try --adapter codex \"which files are here?\"");
    page.paragraph("Bind an agent to Codex, run it in the background, and look at it:");
    page.example(
        "wtt-connect up codex agent-alice 'wtt-tok-alice'\nwtt-connect status agent-alice\nwtt-connect logs agent-alice --follow",
    );
    page.paragraph("The same with the token from a password store:");
    page.example("pass show wtt/alice | wtt-connect up codex agent-alice -");
    page.paragraph("Check a profile, then run it in the foreground:");
    page.example(
        "wtt-connect doctor --profile agent-alice-codex\nwtt-connect start --profile agent-alice-codex",
    );
    page.paragraph("Look at all connectors, and at one of them:");
    page.example(
        "wtt-connect list\nwtt-connect status agent-alice-codex\nwtt-connect logs agent-alice-codex --follow",
    );
    page.section("SEE ALSO");
    page.paragraph("wtt-connect(5), wtt-connect-protocol(7)");
    page.finish()
}

/// The names of the commands that accept a flag; empty for a flag without a command.
fn commands_with(flag: &FlagSpec) -> Vec<&'static str> {
    let accepts = |command: &&CommandSpec| command.flags.iter().any(|f| std::ptr::eq(*f, flag));
    listed().filter(accepts).map(|c| c.name).collect()
}

fn adapters(page: &mut Page) {
    page.section("ADAPTERS");
    page.paragraph(
        "An adapter drives one agent CLI, which must be installed and logged in. The adapters are:",
    );
    for adapter in ADAPTERS {
        let known_as = match adapter.aliases {
            [] => String::new(),
            words => format!(" Also called {}.", words.join(", ")),
        };
        let mut install = adapter.install_hint.to_owned();
        install[..1].make_ascii_uppercase();
        let text = format!("{}.{known_as} {install}. {}", adapter.title, adapter.login_hint);
        page.entry(adapter.name, "", &text);
        for (mode, means) in adapter.modes {
            page.more(&format!("Mode `{}`: {means}", mode.name()));
        }
    }
    page.paragraph(
        "A mode that is not listed for an adapter is refused: nothing runs with more rights than were asked for.",
    );
    page.paragraph(
        "Gemini CLI runs with a home directory of links to yours (GEMINI_CLI_HOME) and three settings of its own: it never \
         deletes sessions, does not update itself, and tries a request three times. Your own settings are not changed; \
         changes that an agent makes to them are lost after its turn. If you start `gemini` yourself in the agent's working \
         directory, it may delete the agent's sessions there; set `general.sessionRetention.enabled` to false in your settings \
         to prevent that. Over ACP, Gemini CLI loses a session that it loads twice within one clock minute, so a message that \
         arrives too early waits for the next minute, and the status says so.",
    );
}

mod tests {
    use super::*;
    use crate::cli::manual::roff::escape;
    use wtt_connect::error::Error;

    #[test]
    fn all_exit_codes_are_documented() {
        let text = String::new;
        let errors = [
            Error::Failed(text()),
            Error::Usage(text()),
            Error::Unavailable(text()),
            Error::TryAgain(text()),
            Error::Config(text()),
        ];
        for code in errors.map(|e| e.exit_code()).into_iter().chain([0]) {
            assert!(EXIT_CODES.iter().any(|(c, _)| *c == code), "{code}");
        }
        assert!(render().contains(&escape("--profile")));
    }
}
