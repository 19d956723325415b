//! THE table of the command line: commands, operands, flags, and every sentence about them.
//!
//! The parser, `-h`, `--help`, `wtt-connect(1)` and the completions are rendered from it, in its order. In texts,
//! `code` between backticks is literal. Nothing is parsed or printed here.

mod files;
mod flags;
mod global;
mod permissions;
mod profile_flags;
mod smoke;
mod spec;

pub use global::{GENERATE, GLOBAL_FLAGS, HELP, VERSION};
pub use spec::{CommandArgs, CommandId, CommandSpec, FlagAction, FlagSpec, Group, ValueKind};

use flags::{
    ADAPTER, ALL_SETTINGS, CONFIG, ENV_FILE, FOLLOW, JSON, LINES, LOG_TO_FILE, NOW, OFFLINE, PROFILE,
    REHEARSE, TERMINAL, VERBOSE, WORKDIR,
};

/// All commands, by group.
pub static COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Try,
        name: "try",
        group: Some(Group::Start),
        operands: "[PROMPT...]",
        short: "chat with an agent on this machine, without an account",
        long: &[
            "Starts a small WTT service on the loopback interface, connects to it as it would to the real one, and opens a chat in the terminal. It needs no account and no settings, and nothing leaves the machine except what the agent itself sends.",
            "The agent works in the current directory and, in mode full-auto, changes files and runs commands there without asking. `--workdir` names another directory; with `--mode suggest` the agent asks in the chat, where `/approve` and `/deny` answer; `--adapter demo` is harmless.",
            "The first agent CLI that is installed, works and is not logged out answers: Codex, then Claude Code, then the others in the order listed at `--adapter`. If there is none, a chat on a terminal uses a built-in demonstration agent and says so. With a PROMPT, or if stdin is not a terminal, this is an error (code 69) that names what was found; the demonstration agent then has to be chosen by `--adapter demo`.",
            "In the chat, `/attach PATH` sends a file with the next message; so does a path alone on a line, which is what terminals make of a file that is dropped on them. Files from the agent are shown with a link and with the place where the local service keeps them until the chat ends. With a PROMPT their place is printed to stderr, and they stay there until a `try` on another day removes them. If a script has no more input when the agent asks for permission, the answer is no.",
            "Settings of the environment, of `.env` and of profiles are ignored; those of the environment are listed at the start. The one exception is the command of the agent that answers, such as `WTT_CONNECT_CODEX_COMMAND`.",
            "With a PROMPT it prints one answer and exits with 0, with 1 if there is no answer or it could not be written, or with 130 if Ctrl-C stopped it. In the chat, `/help` lists the commands, Ctrl-C stops the running answer, and `/quit` or a second Ctrl-C at the prompt ends the chat. SIGTERM and SIGHUP end both with 143 and 129.",
        ],
        flags: &[&ADAPTER, &WORKDIR, &profile_flags::MODE, &TERMINAL, &VERBOSE],
    },
    CommandSpec {
        id: CommandId::Up,
        name: "up",
        group: Some(Group::Start),
        operands: "[ADAPTER AGENT_ID [TOKEN]]",
        short: "bind an agent to a CLI and run it in the background",
        long: &[
            "Checks the agent CLI, its login, the token and the directories; then writes the profile, installs and starts a service of this user (systemd or launchd), waits until it is connected, and reports the result.",
            "WTT's web page shows AGENT_ID and TOKEN under \"Bind Agent\". TOKEN may be `-` to read it from stdin; `--token-file` and the variable `WTT_TOKEN` work, too, and keep it out of the shell's history.",
            "Run it again with a new token or with other flags to update the profile and restart the service once. Settings that the command line does not name keep their values in the profile, including the token. If a step fails, it says what has been done; run it again to do the rest.",
            "For a new profile, `WTT_BASE_URL` and `WTT_CONNECT_WORKDIR` of the environment are used if the flags are not given, unless they belong to another agent that started this command. With `--env-file`, settings and identity come from that file, and the operands may be omitted.",
            "Being offline is not a failure: the service keeps trying. Exits with 78 if the service refuses the token or a setting is wrong, and with 69 if the profile was written but this machine has no systemd or launchd for this user; it then prints the command to run instead.",
        ],
        flags: &[
            &profile_flags::PROFILE_NAME,
            &profile_flags::BASE_URL,
            &profile_flags::MODE,
            &profile_flags::ALLOW_YOLO,
            &profile_flags::AGENT_WORKDIR,
            &profile_flags::ADAPTERS,
            &profile_flags::MODEL,
            &profile_flags::PUBLISH_PROGRESS,
            &profile_flags::ENABLE_SHELL,
            &profile_flags::TOKEN_FILE,
            &ENV_FILE,
            &profile_flags::ENABLE_LINGER,
            &profile_flags::YES,
            &profile_flags::NO_START,
            &profile_flags::DRY_RUN,
        ],
    },
    CommandSpec {
        id: CommandId::Setup,
        name: "setup",
        group: Some(Group::Start),
        operands: "",
        short: "register a new agent and claim it with a code",
        long: &[
            "For users who have no agent on the web page yet: registers one, unless the settings already have one, and stores its id and token in a profile. Says which agent CLI it chose, why, and which others are installed, and prints the `wtt-connect up` command that binds the agent.",
        ],
        flags: &[
            &profile_flags::CLAIM_CODE,
            &profile_flags::BOUND_ADAPTER,
            &PROFILE,
            &profile_flags::BASE_URL,
        ],
    },
    CommandSpec {
        id: CommandId::Start,
        name: "start",
        group: Some(Group::Start),
        operands: "",
        short: "run a connector in the foreground",
        long: &[
            "Connects to the service and answers messages until it is stopped. SIGTERM and SIGINT shut it down in order, within 20 seconds; a second signal ends it at once.",
            "wtt-connect(5) describes the settings. Two connectors cannot share a state directory: the second one exits at once with 75.",
        ],
        flags: &[&PROFILE, &ENV_FILE, &CONFIG, &LOG_TO_FILE],
    },
    CommandSpec {
        id: CommandId::Doctor,
        name: "doctor",
        group: Some(Group::Start),
        operands: "[ADAPTER]",
        short: "check settings, directories, agents and the service",
        long: &[
            "Shows the settings and where each comes from, which directories are writable, which agent CLIs are installed (on PATH or where their installers put them), their versions and whether they are logged in, and whether the service answers and accepts the token. Secrets are masked.",
            "Exits with 0 if `start` would run and its default agent could answer. Exits with 1 if something needs to be fixed: `start` would refuse to run, or nobody would get an answer because the agent CLI is missing or not logged in or the token is refused. Being offline is not a problem by itself. A closed stdout does not change the code.",
            "With ADAPTER it checks that agent CLI only, whether it is enabled or not, and exits with 1 if it could not answer.",
        ],
        flags: &[&PROFILE, &ENV_FILE, &CONFIG, &OFFLINE, &REHEARSE, &ALL_SETTINGS, &JSON],
    },
    CommandSpec {
        id: CommandId::List,
        name: "list",
        group: Some(Group::Manage),
        operands: "",
        short: "list all profiles and whether they are connected",
        long: &[
            "Lists all profiles: identity, agent CLI, what runs the connector (systemd, launchd, or a user by hand) or that it is stopped, whether it is connected, and the agent's working directory.",
        ],
        flags: &[&JSON],
    },
    CommandSpec {
        id: CommandId::Status,
        name: "status",
        group: Some(Group::Manage),
        operands: "[PROFILE]",
        short: "show a connector's connection, turns and problems",
        long: &[
            "Asks the running connector: how long it has been connected or when it will retry, its last message, running and waiting turns, undelivered replies, messages deferred until a usage limit resets, and what needs attention. If the connector does not run, shows what its files tell.",
            "PROFILE is the name of a profile, or the id of an agent that has one profile; `all`, or nothing, means all profiles.",
            "Exits with 0 if all these connectors run and nothing needs to be fixed; being offline does not count, because a connector reconnects by itself. Exits with 1 if something needs to be fixed first, such as a refused token, and with 69 if a connector does not run.",
        ],
        flags: &[&JSON],
    },
    CommandSpec {
        id: CommandId::Logs,
        name: "logs",
        group: Some(Group::Manage),
        operands: "PROFILE",
        short: "show the newest lines of a connector's log",
        long: &[
            "Shows the journal of the profile's service (`journalctl --user`), or `wtt-connect.log` in the state directory if the connector logs to files. PROFILE is the name of a profile, or the id of an agent that has one profile.",
        ],
        flags: &[&LINES, &FOLLOW],
    },
    CommandSpec {
        id: CommandId::Restart,
        name: "restart",
        group: Some(Group::Manage),
        operands: "[PROFILE]",
        short: "restart a connector after its running turns",
        long: &[
            "Restarts the connector in the same process, with the current settings and the current program file. Running turns end first; messages that arrive meanwhile are kept and answered afterwards. Terminals that are open on the web page are closed. PROFILE as for `status`. A connector that does not run is named, and the code is 69.",
        ],
        flags: &[&NOW],
    },
    CommandSpec {
        id: CommandId::Workdir,
        name: "workdir",
        group: Some(Group::Manage),
        operands: "PROFILE DIR",
        short: "change an agent's working directory",
        long: &[
            "Stores DIR in the profile as `WTT_CONNECT_WORKDIR` and creates it if it does not exist. It takes effect at the next start. Agents find their earlier sessions by the directory, so in a new one they start new sessions.",
        ],
        flags: &[&profile_flags::RESTART],
    },
    CommandSpec {
        id: CommandId::Down,
        name: "down",
        group: Some(Group::Manage),
        operands: "PROFILE",
        short: "stop a connector and remove its service",
        long: &[
            "Stops the service and removes it from this user's login. PROFILE is the name of a profile, or the id of an agent that has one profile. The profile and the state are kept, so `wtt-connect up` continues where it left off. A connector that was started by hand with `wtt-connect start` is stopped as well.",
        ],
        flags: &[&profile_flags::PURGE],
    },
    permissions::APPROVE,
    permissions::DENY,
    files::UPLOAD_FILE,
    files::ARTIFACTS,
    smoke::TASK,
    smoke::CHAT,
    CommandSpec {
        id: CommandId::Help,
        name: "help",
        group: Some(Group::Help),
        operands: "[COMMAND]",
        short: "list the commands, or explain one",
        long: &["Explains COMMAND and its flags. Without COMMAND it lists all commands."],
        flags: &[],
    },
    CommandSpec {
        id: CommandId::DemoAgent,
        name: "demo-agent",
        group: None,
        operands: "[ARGUMENT...]",
        short: "the demonstration agent",
        long: &["Speaks the protocol of a real agent CLI on its standard streams. `try` starts it."],
        flags: &[],
    },
];

/// The commands that help, manual and completions show.
pub fn listed() -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.iter().filter(|command| command.group.is_some())
}

/// Finds a command by its name.
pub fn command(name: &str) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|c| c.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_well_formed() {
        let groups: Vec<Group> = listed().filter_map(|command| command.group).collect();
        for (i, group) in groups.iter().enumerate() {
            let is_new = i > 0 && groups[i - 1] != *group;
            assert!(
                !is_new || !groups[..i].contains(group),
                "the commands of {group:?} do not stand together"
            );
        }
        for command in COMMANDS {
            let mut letters = std::collections::BTreeSet::new();
            assert!(!command.short.ends_with('.') && command.short.len() < 60, "{}", command.name);
            assert!(command.long.iter().all(|p| p.ends_with('.')), "{}", command.name);
            for flag in command.flags.iter().chain(GLOBAL_FLAGS) {
                assert!(!flag.short.ends_with('.') && flag.short.len() < 60, "{flag:?}");
                assert!(flag.long_text.ends_with('.'), "{flag:?}");
                assert!(flag.long_text.matches('`').count() % 2 == 0, "{flag:?}");
                assert!(flag.letter.is_none_or(|l| letters.insert(l)), "{flag:?}");
            }
        }
    }
}
