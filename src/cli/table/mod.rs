//! THE table of the command line: commands, operands, flags, and every sentence about them.
//!
//! The parser, `-h`, `--help`, `wtt-connect(1)` and the completions are rendered from it, in its order. In texts,
//! `code` between backticks is literal. Nothing is parsed or printed here.

mod files;
mod global;
mod permissions;
mod profile_flags;
mod smoke;

pub use global::{GENERATE, GLOBAL_FLAGS, HELP, VERSION};

use crate::config::profile;
use std::ffi::OsString;
use std::path::PathBuf;

/// The flags and operands of a command as they were typed; no file has been read yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandArgs {
    /// `--profile`
    pub profile: Option<String>,
    /// `--env-file`
    pub env_file: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--json`
    pub json: bool,
    /// `--offline`
    pub offline: bool,
    /// `--rehearse`
    pub rehearse: bool,
    /// `--adapter`
    pub adapter: Option<String>,
    /// `--workdir`
    pub workdir: Option<PathBuf>,
    /// `--terminal`
    pub terminal: bool,
    /// `--verbose`
    pub verbose: bool,
    /// `--log-to-file`
    pub log_to_file: bool,
    /// `--now`
    pub now: bool,
    /// `--lines`
    pub lines: Option<usize>,
    /// `--follow`
    pub follow: bool,
    /// Flags that are settings of the profile: variable and value, in the order given.
    pub settings: Vec<(&'static str, String)>,
    /// `--token-file`
    pub token_file: Option<PathBuf>,
    /// `--enable-linger`
    pub enable_linger: bool,
    /// `--yes`
    pub yes: bool,
    /// `--no-start`
    pub no_start: bool,
    /// `--dry-run`
    pub dry_run: bool,
    /// `--purge`
    pub purge: bool,
    /// `--restart`
    pub restart: bool,
    /// `--claim-code`
    pub claim_code: bool,
    /// `--topic-id`
    pub topic_id: Option<String>,
    /// `--title`
    pub title: Option<String>,
    /// `--expected`
    pub expected: Option<String>,
    /// `--timeout`, in seconds
    pub timeout: Option<u64>,
    /// The words that are neither flags nor their values.
    pub operands: Vec<OsString>,
}

/// A command of the command line.
#[derive(Debug)]
pub struct CommandSpec {
    /// For the dispatch.
    pub id: CommandId,
    /// The word that is typed.
    pub name: &'static str,
    /// Where it stands in the list of commands; none for a command that is neither listed nor completed.
    pub group: Option<Group>,
    /// Its operands, as in a synopsis; empty if it takes none.
    pub operands: &'static str,
    /// One line, under 60 characters.
    pub short: &'static str,
    /// Paragraphs.
    pub long: &'static [&'static str],
    /// The flags that it accepts, besides `--help`.
    pub flags: &'static [&'static FlagSpec],
}

/// A heading in the list of commands. The commands of a group stand together in [`COMMANDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// From the first look to a connector that runs.
    Start,
    /// Connectors that exist.
    Manage,
    /// Permission requests of agents.
    Requests,
    /// Files that agents sent.
    Files,
    /// Tests of a running connector.
    Test,
    /// `help`.
    Help,
}

impl Group {
    /// The heading: one word of at most eight letters.
    pub fn title(self) -> &'static str {
        match self {
            Group::Start => "Start",
            Group::Manage => "Manage",
            Group::Requests => "Requests",
            Group::Files => "Files",
            Group::Test => "Test",
            Group::Help => "Help",
        }
    }
}

/// Identifies a command for the dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandId {
    /// `try`
    Try,
    /// `start`
    Start,
    /// `doctor`
    Doctor,
    /// `list`
    List,
    /// `status`
    Status,
    /// `restart`
    Restart,
    /// `approve`
    Approve,
    /// `deny`
    Deny,
    /// `logs`
    Logs,
    /// `up`
    Up,
    /// `down`
    Down,
    /// `workdir`
    Workdir,
    /// `setup`
    Setup,
    /// `upload-file`
    UploadFile,
    /// `artifacts`
    Artifacts,
    /// `smoke-task`
    SmokeTask,
    /// `smoke-chat`
    SmokeChat,
    /// `help`
    Help,
    /// `demo-agent`
    DemoAgent,
}

/// A flag of the command line.
pub struct FlagSpec {
    /// Without the dashes.
    pub long: &'static str,
    /// The letter of its short form.
    pub letter: Option<char>,
    /// The kind of its value; none for a switch.
    pub value: Option<ValueKind>,
    /// One line, under 60 characters.
    pub short: &'static str,
    /// One paragraph.
    pub long_text: &'static str,
    /// Checks the value and puts it into [`CommandArgs`]; errors do not name the flag.
    pub set: fn(&mut CommandArgs, OsString) -> Result<(), String>,
}

impl std::fmt::Debug for FlagSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--{}", self.long)
    }
}

/// The kind of a flag's value, for the synopsis and for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A profile that exists.
    Profile,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// The name of an adapter.
    Adapter,
    /// A file that `--generate` prints.
    CompletionScript,
    /// A number.
    Number,
    /// A permission mode.
    Mode,
    /// Free text, with its word in a synopsis.
    Free(&'static str),
}

impl ValueKind {
    /// The word that stands for the value in a synopsis.
    pub fn word(self) -> &'static str {
        match self {
            ValueKind::Profile => "PROFILE",
            ValueKind::File => "FILE",
            ValueKind::Directory => "DIR",
            ValueKind::Adapter => "ADAPTER",
            ValueKind::CompletionScript => "WHAT",
            ValueKind::Number => "N",
            ValueKind::Mode => "MODE",
            ValueKind::Free(word) => word,
        }
    }
}

/// Accepts a value that is UTF-8 text.
fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| "is not UTF-8 text".into())
}

static PROFILE: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "use this profile",
    long_text: "Reads `~/.config/wtt-connect/profiles/PROFILE.env`. A profile is complete in itself: `.env` and the `WTT_*` variables of the environment are ignored with it, because they may belong to another agent that started this command.",
    set: |args, value| {
        let name = text(value)?;
        if !profile::is_name(&name) {
            return Err(format!("is not a profile name; accepted: {}", profile::RULE));
        }
        args.profile = Some(name);
        Ok(())
    },
};

static ENV_FILE: FlagSpec = FlagSpec {
    long: "env-file",
    letter: None,
    value: Some(ValueKind::File),
    short: "read settings from this env file first",
    long_text: "Reads `KEY=value` lines from FILE before the default `.env`, or before the profile, so that they take precedence. The variable `WTT_CONNECT_ENV_FILE` names such a file, too.",
    set: |args, value| {
        args.env_file = Some(value.into());
        Ok(())
    },
};

static CONFIG: FlagSpec = FlagSpec {
    long: "config",
    letter: None,
    value: Some(ValueKind::File),
    short: "read settings from this JSON file last",
    long_text: "Reads one flat JSON object whose keys are spelled like the variables or in camel case (`agentId`). The environment and env files take precedence over it. The variable `WTT_CONNECT_CONFIG` names such a file, too.",
    set: |args, value| {
        args.config = Some(value.into());
        Ok(())
    },
};

static JSON: FlagSpec = FlagSpec {
    long: "json",
    letter: None,
    value: None,
    short: "print JSON for scripts",
    long_text: "Prints one JSON object instead of text. Secrets are masked in both.",
    set: |args, _| {
        args.json = true;
        Ok(())
    },
};

static OFFLINE: FlagSpec = FlagSpec {
    long: "offline",
    letter: None,
    value: None,
    short: "do not contact the service",
    long_text: "Checks this machine only and does not contact the service.",
    set: |args, _| {
        args.offline = true;
        Ok(())
    },
};

static REHEARSE: FlagSpec = FlagSpec {
    long: "rehearse",
    letter: None,
    value: None,
    short: "let the agents run short real turns",
    long_text: "Instead of the checks, runs three short turns of ADAPTER, or of each enabled agent: one is answered, one resumes the first, and one is stopped. Prints the results and exits with 1 if a turn failed. The agents use their own accounts and work in a directory that is removed afterwards. No WTT account is needed.",
    set: |args, _| {
        args.rehearse = true;
        Ok(())
    },
};

static ADAPTER: FlagSpec = FlagSpec {
    long: "adapter",
    letter: Some('a'),
    value: Some(ValueKind::Adapter),
    short: "chat with this agent",
    long_text: "Chats with this agent instead of the first one that works: `codex`, `claude-code`, `cursor`, `gemini`, `qoder`, `opencode`, `crush`, `iflow`, `kimi`, `pi`, `acp`, `devin`, or `demo`, the demonstration agent.",
    set: |args, value| {
        args.adapter = Some(text(value)?);
        Ok(())
    },
};

static WORKDIR: FlagSpec = FlagSpec {
    long: "workdir",
    letter: None,
    value: Some(ValueKind::Directory),
    short: "let the agent work in this directory",
    long_text: "Lets the agent work in DIR instead of the current directory. It changes files and runs commands there without asking.",
    set: |args, value| {
        args.workdir = Some(value.into());
        Ok(())
    },
};

static TERMINAL: FlagSpec = FlagSpec {
    long: "terminal",
    letter: None,
    value: None,
    short: "open a shell through the service instead",
    long_text: "Instead of a chat, opens a shell on this machine the way the web page does: through the local service and the connector. No agent is needed. The exit code is that of the shell.",
    set: |args, _| {
        args.terminal = true;
        Ok(())
    },
};

static VERBOSE: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "log more, and keep the log",
    long_text: "Makes the connector log more, prints the path of the log, and keeps it after the end.",
    set: |args, _| {
        args.verbose = true;
        Ok(())
    },
};

static ALL_SETTINGS: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "list settings with their default values, too",
    long_text: "Lists every setting, including those that have their default values.",
    set: |args, _| {
        args.verbose = true;
        Ok(())
    },
};

static LOG_TO_FILE: FlagSpec = FlagSpec {
    long: "log-to-file",
    letter: None,
    value: None,
    short: "log to wtt-connect.log in the state directory",
    long_text: "Writes the log to `wtt-connect.log` in the state directory instead of stderr, for machines without a journal. At 10 MiB the file is renamed to `.1`, and an older `.1` to `.2`. `wtt-connect logs` reads it.",
    set: |args, _| {
        args.log_to_file = true;
        Ok(())
    },
};

static NOW: FlagSpec = FlagSpec {
    long: "now",
    letter: None,
    value: None,
    short: "do not wait for running turns",
    long_text: "Does not wait for running turns: their agents are terminated, and the answers to their messages say so.",
    set: |args, _| {
        args.now = true;
        Ok(())
    },
};

static LINES: FlagSpec = FlagSpec {
    long: "lines",
    letter: Some('n'),
    value: Some(ValueKind::Number),
    short: "show the newest N lines (default: 100)",
    long_text: "Shows the newest N lines, from 1 to 100000. The default is 100.",
    set: |args, value| {
        let lines = text(value)?.parse().ok().filter(|n| (1..=100_000).contains(n));
        args.lines = Some(lines.ok_or("is not a number of lines; accepted: 1 to 100000")?);
        Ok(())
    },
};

static FOLLOW: FlagSpec = FlagSpec {
    long: "follow",
    letter: Some('f'),
    value: None,
    short: "follow the log until Ctrl-C",
    long_text: "Keeps printing new lines as they are written, until Ctrl-C.",
    set: |args, _| {
        args.follow = true;
        Ok(())
    },
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
    fn the_values_of_adapter_are_listed() {
        for adapter in crate::agent::adapters::ADAPTERS {
            assert!(ADAPTER.long_text.contains(&format!("`{}`", adapter.name)), "{}", adapter.name);
        }
    }

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
