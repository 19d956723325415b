//! wtt-connect(1), rendered from the table; the sections that no table holds are written out here.

mod json;

use super::help;
use super::roff::Page;
use crate::agent::adapters::ADAPTERS;
use crate::cli::table::{COMMANDS, CommandSpec, FlagSpec, GLOBAL_FLAGS, ValueKind};
use crate::session::chat_command;

/// Date of the last change to the texts of both pages.
pub const DATE: &str = "2026-11-23";

/// Exit codes and what they mean; the same for every command.
pub static EXIT_CODES: &[(u8, &str)] = &[
    (0, "Done. Whoever reads the output may go away before its end; that changes no code."),
    (
        1,
        "It was tried and failed; for `doctor` and `status`, something needs to be put right before messages are answered.",
    ),
    (2, "The command line is wrong."),
    (
        69,
        "A service or program that is needed is not there; for `status` and `restart`, a connector does not run.",
    ),
    (
        75,
        "Something else holds what is needed, like another connector with the same state directory; later it may work.",
    ),
    (78, "Settings, profile or token are wrong; trying again does not help."),
    (130, "Only `try` with a PROMPT: the answer was stopped by Ctrl-C."),
];

static FILES: &[(&str, &str)] = &[
    (
        "~/.config/wtt-connect/profiles/PROFILE.env",
        "A profile: one identity with its settings; see wtt-connect(5). Below `$XDG_CONFIG_HOME` when that is set.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/",
        "State of that identity. Below `$XDG_STATE_HOME` when that is set.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/state.json",
        "Which session of which agent belongs to which topic, and which messages have been seen. Sessions are named `wtt:topic:TOPIC:ADAPTER:MODEL:EFFORT`, or `wtt:task:` and so on; the agents' own ids in them are `codexThreadId`, `claudeSessionId` and the like. state.json.journal beside it holds the latest changes, state.json.prev the copy before, state.json.corrupt-TIME what could not be read.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/artifacts.json",
        "The last 500 files that were sent; `wtt-connect artifacts` shows them. In uploads beside it are copies of files that are on their way.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/outbox/",
        "Replies that the service has not acknowledged yet; in failed/ those that it refuses for good.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/control.sock",
        "Where a running connector answers `status` and `restart`: for the same user only. A link to a socket below `$XDG_RUNTIME_DIR` where its path would be too long.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/wtt-connect.log",
        "The log of `start --log-to-file`; beside it up to two older files of 10 MiB, .1 and .2.",
    ),
    (
        "~/.local/state/wtt-connect/PROFILE/versions.json",
        "Versions of the agent CLIs, so that `status` need not ask them each time.",
    ),
    (
        "~/.local/state/wtt-connect/try_history",
        "The last 500 lines that were typed at the prompt of `try`. Below `$XDG_STATE_HOME` when that is set.",
    ),
    ("~/.wtt-connect/AGENT_ID/", "Where agents work unless `WTT_CONNECT_WORKDIR` says otherwise."),
    (
        "~/.config/systemd/user/wtt-connect@.service",
        "The service of all profiles on Linux, written by `up`; that of one profile is wtt-connect@PROFILE.service. Changes of your own belong into a drop-in (`systemctl --user edit`). It restricts nothing, because agents inherit every restriction of it; install/hardened.conf is a drop-in for hosts that do nothing else.",
    ),
    (
        "~/Library/LaunchAgents/com.wtt.connect.PROFILE.plist",
        "The service of a profile on macOS, written by `up`.",
    ),
    (".env", "Settings, read from the current directory when no profile is named."),
];

static SCRIPTS: &[(&str, &str)] = &[
    (
        "install.sh [--prefix DIR] [--static]",
        "Builds the program and installs it with manual and completions.",
    ),
    ("start.sh [--env-file FILE]", "`start`."),
    ("install-agent.sh ADAPTER AGENT_ID TOKEN", "`up`."),
    (
        "install-systemd-user.sh, install-launchd.sh",
        "`up` with `--name`, `--agent-id`, `--token` and `--adapter` instead of operands; or with `--name` and `--env-file`, where the file has all of it. The name is that of the profile.",
    ),
    ("uninstall-systemd-user.sh, uninstall-launchd.sh", "`down` for the profile of `--name`."),
];

static RELIABILITY: &[&str] = &[
    "The connector reconnects for ever, with growing and random pauses, and notices a connection that is dead without saying so. A refused token is tried again, slowly, and said in the log.",
    "A message is run at most once. After a crash an unfinished run is reported as interrupted and never run again unasked, because agents have side effects.",
    "A message is answered at least once: a finished reply is on disk before it is sent, and looked up in the topic before it is sent again. A copy carries the same client id, so that it can be recognised.",
    "A reply that the socket refuses goes by HTTP; one that the service refuses for good is kept in the folder outbox/failed of the state directory. While 1000 replies or 64 MiB wait for the service, no new turn begins, and the topic says so.",
    "What was said while the connector was away is read after each reconnect and answered once, in order, when it is not older than WTT_CONNECT_CATCH_UP_MINUTES.",
    "A message that meets a usage limit whose end is known is kept on disk and run when the limit has reset; /stop drops it.",
    "State files are never half written. One that cannot be read is set aside, not overwritten.",
    "There is one process per state directory; a second one says so and exits.",
    "No process of an agent outlives its turn when that is stopped or fails. What an agent has put into a session of its own, to stay, is ended when the connector stops, or at the next start after a crash.",
    "As a service it comes back by itself after a crash and after a hang of more than a minute, for as long as it takes; wrong settings alone end it, because trying again would not help. `down` and the end of the service end every agent. Ready means to the service manager that it runs, not that it is connected.",
    "A disk that is full or broken does not stop the work: the connector goes on from memory and says so in its log.",
    "Tokens do not appear in the log, in error messages, in arguments, or in the environment of agents. The memory of the connector is kept out of core dumps and from other processes of the same user.",
];

/// The page.
pub fn render() -> String {
    let mut page = Page::new("wtt-connect", 1, DATE, "User Commands");
    page.section("NAME");
    page.paragraph("wtt-connect - connect WTT topics to the coding-agent CLIs on this machine");
    page.section("SYNOPSIS");
    for command in COMMANDS.iter().filter(|c| !c.hidden) {
        page.synopsis("wtt-connect", &help::synopsis(command));
    }
    page.synopsis("wtt-connect", "--help | --version | --generate WHAT");
    page.section("DESCRIPTION");
    page.paragraph(
        "WTT is a service of chat topics and tasks that people and agents share. wtt-connect holds one connection to it \
         under one identity, takes in the messages that are meant for that identity, runs a coding-agent CLI for each, \
         shows its progress, and publishes the answer in the topic.",
    );
    page.paragraph(
        "Each topic is a session of the agent: later messages resume it. Topics are worked on side by side, the \
         messages of one topic one after the other.",
    );
    page.section("COMMANDS");
    for command in COMMANDS.iter().filter(|c| !c.hidden) {
        page.entry(command.name, command.operands, command.long[0]);
        for paragraph in &command.long[1..] {
            page.more(paragraph);
        }
    }
    page.section("OPTIONS");
    let mut seen = Vec::new();
    let of_commands = COMMANDS.iter().filter(|c| !c.hidden).flat_map(|c| c.flags);
    for flag in GLOBAL_FLAGS.iter().chain(of_commands) {
        if seen.iter().any(|known| std::ptr::eq(*known, *flag)) {
            continue;
        }
        seen.push(*flag);
        let letter = flag.letter.map_or_else(String::new, |l| format!("-{l}, "));
        page.entry(
            &format!("{letter}--{}", flag.long),
            flag.value.map_or("", ValueKind::word),
            flag.long_text,
        );
        let whose = owners(flag);
        if !whose.is_empty() {
            page.more(&format!("A flag of `{}`.", whose.join("`, `")));
        }
    }
    adapters(&mut page);
    page.section("CHOOSING AN AGENT");
    page.paragraph(
        "Where `WTT_CONNECT_ADAPTERS` enables several adapters, the first of these decides: the task's `exec_mode`, when it is the \
         name of one; `model_config.adapter` of the message; a mention such as `@codex`, `@claude` or `@gemini`; the model of the \
         message, by `WTT_CONNECT_MODEL_PROVIDER_MAP` and then by its family (OpenAI's to codex; those of Claude, DeepSeek and Kimi \
         to claude-code); what `/adapter` chose for the topic; `WTT_CONNECT_ADAPTER`. The model of a message wins over \
         `WTT_CONNECT_MODEL`.",
    );
    page.section("FILES OF AGENTS");
    page.paragraph(
        "A line of its own in an answer, outside code blocks, sends a file; it is taken out of the answer:",
    );
    page.example("[WTT_ARTIFACT_FILE path=\"report.pdf\" title=\"Project Report\"]");
    page.paragraph(
        "The path counts from the working directory; the title may be left out. What may be sent, and of which kinds, is said at \
         `upload-file`, which does the same from a shell. The file follows the answer as a card, `[file:Project Report](https://...)`. \
         `WTT_CONNECT_UPLOAD_ARTIFACTS` is not needed for it.",
    );
    page.section("CHAT COMMANDS");
    page.paragraph("Everything in a topic goes to the agent, but these words are answered by the connector:");
    for (word, arguments, text) in chat_command::rows() {
        let mut sentence = text.to_owned();
        sentence[..1].make_ascii_uppercase();
        page.entry(word, arguments, &format!("{sentence}."));
    }
    page.paragraph(
        "The answers come in English or Chinese, as the asker writes. In a group a command counts only when it is aimed at this \
         agent. A slash command that is not in this list is the agent's own: it is run where the agent takes it from a program \
         (Claude Code, Pi, OpenCode, Kimi, agents over ACP; `/compact` and `/review` of Codex; `/init` and your own commands of \
         Gemini CLI and Qoder), else the answer says what the agent takes.",
    );
    page.paragraph(
        "A topic can be stricter than its host, never looser: `/mode` offers what `WTT_CONNECT_MODE` allows and everything \
         stricter; only with `WTT_CONNECT_ALLOW_YOLO=1` all modes. It is for people; agents cannot use it. A choice that the \
         settings do not allow any more has no effect.",
    );
    page.paragraph(
        "A message for an agent that works waits for its turn, and the status says so. `/steer` gives it to the agent at once: \
         into the running turn where the agent can take it (Codex, Claude Code and Pi in their two-way forms, which \
         `WTT_CONNECT_BUSY=steer` chooses for them; agents over ACP), else the agent is interrupted and goes on with both \
         messages in the same session. One answer is then for both. \
         `WTT_CONNECT_BUSY` does the same for every message, `WTT_CONNECT_MERGE_WAITING` joins messages that wait.",
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
        "All settings may be variables; wtt-connect(5) lists them with the order in which they are read. \
         `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either letter case, are honoured for all \
         connections. `NO_COLOR` switches colors off.",
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
        "The folder install of the source has thin calls of these commands, for those who know their names. They take the flags of \
         the command behind them as well, and `WTT_CONNECT_BIN` names the program where it is not on PATH.",
    );
    for (script, text) in SCRIPTS {
        page.entry(script, "", text);
    }
    page.section("EXAMPLES");
    page.paragraph("A chat with whatever agent is installed, without an account:");
    page.example("wtt-connect try");
    page.paragraph("One question, for a script:");
    page.example("wtt-connect try --adapter codex \"which files are here?\"");
    page.paragraph("Bind an agent of the service to Codex, in the background, and look at it:");
    page.example(
        "wtt-connect up codex agent-alice 'wtt-tok-alice'\nwtt-connect status agent-alice\nwtt-connect logs agent-alice --follow",
    );
    page.paragraph("The same with the token from a password store:");
    page.example("pass show wtt/alice | wtt-connect up codex agent-alice -");
    page.paragraph("Check a profile, then run it in the foreground:");
    page.example(
        "wtt-connect doctor --profile agent-alice-codex\nwtt-connect start --profile agent-alice-codex",
    );
    page.paragraph("See how all connectors are, and what one of them does:");
    page.example(
        "wtt-connect list\nwtt-connect status agent-alice-codex\nwtt-connect logs agent-alice-codex --follow",
    );
    page.section("SEE ALSO");
    page.paragraph("wtt-connect(5), wtt-connect-protocol(7)");
    page.finish()
}

/// The commands that know a flag; none for those that stand before a command.
fn owners(flag: &FlagSpec) -> Vec<&'static str> {
    let knows = |command: &&CommandSpec| command.flags.iter().any(|f| std::ptr::eq(*f, flag));
    COMMANDS.iter().filter(|c| !c.hidden).filter(knows).map(|c| c.name).collect()
}

fn adapters(page: &mut Page) {
    page.section("ADAPTERS");
    page.paragraph(
        "An adapter drives one agent CLI, which must be installed and logged in. This version has:",
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
        "A mode that an adapter does not list is refused: nothing is run more loosely than it was asked for.",
    );
    page.paragraph(
        "Gemini CLI runs with a home that is made of links to yours (GEMINI_CLI_HOME), with three settings of its own: it \
         never deletes sessions, does not update itself, and tries a request three times. Your own settings stay as they \
         are; what an agent changes in them is gone after its turn. If you start `gemini` yourself in the agent's workdir, \
         it may delete the agent's sessions there; `general.sessionRetention.enabled` set to false in your settings \
         prevents that. Over ACP, Gemini CLI loses a session that it loads twice in one clock minute, so a message that \
         comes too early waits for the next minute, and says so.",
    );
}

/// The name and the version, as `--version` prints them.
pub fn version() -> String {
    format!("wtt-connect {}\n", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::roff::escape;
    use crate::error::Error;

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
