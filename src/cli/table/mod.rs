//! THE table of the command line: commands, operands, flags, and every sentence about them.
//!
//! The parser, `-h`, `--help`, `wtt-connect(1)` and the completions are renderings of it; order here is order there.
//! In texts, `code` between backticks is literal. Nothing is parsed or printed here.

mod files;
mod global;
mod permissions;
mod profile_flags;
mod smoke;

pub use global::{GENERATE, GLOBAL_FLAGS, HELP, VERSION};

use crate::config::profile;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line said, as typed: no file is looked at.
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
    /// What follows the flags.
    pub operands: Vec<OsString>,
}

/// A command.
#[derive(Debug)]
pub struct CommandSpec {
    /// Which one.
    pub id: CommandId,
    /// Its word.
    pub name: &'static str,
    /// Its operands, as in a synopsis; empty when it takes none.
    pub operands: &'static str,
    /// One line.
    pub short: &'static str,
    /// Paragraphs.
    pub long: &'static [&'static str],
    /// Its flags.
    pub flags: &'static [&'static FlagSpec],
    /// Neither listed nor completed.
    pub hidden: bool,
}

/// Names the commands for the dispatch.
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

/// A flag.
pub struct FlagSpec {
    /// Without the dashes.
    pub long: &'static str,
    /// One letter.
    pub letter: Option<char>,
    /// Its value, when it takes one.
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

/// What a flag's value is, for the synopsis and for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A profile that exists.
    Profile,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// An adapter of this build.
    Adapter,
    /// Something that `--generate` prints.
    CompletionScript,
    /// A number.
    Number,
    /// A permission mode.
    Mode,
    /// Something that cannot be completed.
    Free(&'static str),
}

impl ValueKind {
    /// The word in a synopsis.
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

/// Takes a text value.
fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| "is not UTF-8 text".into())
}

static PROFILE: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "use this profile",
    long_text: "Reads `~/.config/wtt-connect/profiles/PROFILE.env`. A profile is complete: `WTT_*` variables of the environment and `.env` do not count beside it, because they may be those of another agent that started this command.",
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
    long_text: "Reads `KEY=value` lines from FILE before the default `.env`, or before the profile, so that they win. The variable `WTT_CONNECT_ENV_FILE` names such a file too.",
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
    long_text: "Reads one flat JSON object, whose keys are spelt like the variables or in camel case (`agentId`). It gives way to the environment and to env files. The variable `WTT_CONNECT_CONFIG` names such a file too.",
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
    long_text: "Prints one JSON object instead of text. Secrets are masked in it as well.",
    set: |args, _| {
        args.json = true;
        Ok(())
    },
};

static OFFLINE: FlagSpec = FlagSpec {
    long: "offline",
    letter: None,
    value: None,
    short: "do not ask the service",
    long_text: "Leaves out the questions to the service, and checks only this machine.",
    set: |args, _| {
        args.offline = true;
        Ok(())
    },
};

static REHEARSE: FlagSpec = FlagSpec {
    long: "rehearse",
    letter: None,
    value: None,
    short: "run short real turns of the agents, and nothing else",
    long_text: "Runs three short turns of ADAPTER, or of each enabled agent: one that answers, one that resumes it, and one that is stopped. It says what it saw, and exits with 1 when one failed. The agents use their accounts for it, and work in a directory that is removed afterwards. No WTT account is needed.",
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
    long_text: "Chats with this agent instead of the first one that is found: `codex`, `claude-code`, `cursor`, `gemini`, `qoder`, `opencode`, `crush`, `iflow`, `kimi`, `pi`, `acp`, `devin`, or `demo`, the demonstration agent.",
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
    long_text: "Lets the agent work in DIR instead of in the current directory. It changes files and runs commands there without asking.",
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
    long_text: "Instead of a chat, opens a shell on this machine as the web page does it: through the local service and the connector. It needs no agent. The exit code is the shell's.",
    set: |args, _| {
        args.terminal = true;
        Ok(())
    },
};

static VERBOSE: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "log more, and say where",
    long_text: "Makes the connector log more, says where its log lies, and keeps it after the end.",
    set: |args, _| {
        args.verbose = true;
        Ok(())
    },
};

static DEFAULTS_TOO: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "list the defaults too",
    long_text: "Lists every setting, also those that have their default.",
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
    long_text: "Writes the log to `wtt-connect.log` in the state directory instead of to stderr, where no journal takes it. A file of 10 MiB is put aside as `.1`, that one as `.2`. `wtt-connect logs` reads them.",
    set: |args, _| {
        args.log_to_file = true;
        Ok(())
    },
};

static NOW: FlagSpec = FlagSpec {
    long: "now",
    letter: None,
    value: None,
    short: "do not wait for the running turns",
    long_text: "Does not wait for the running turns: their agents are ended, and their messages answered with a notice that says so.",
    set: |args, _| {
        args.now = true;
        Ok(())
    },
};

static LINES: FlagSpec = FlagSpec {
    long: "lines",
    letter: Some('n'),
    value: Some(ValueKind::Number),
    short: "so many of the newest lines; 100 without it",
    long_text: "Shows the newest N lines, from 1 to 100000. Without this flag it shows 100.",
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
    short: "go on with new lines until Ctrl-C",
    long_text: "Goes on with new lines as they are written, until Ctrl-C.",
    set: |args, _| {
        args.follow = true;
        Ok(())
    },
};

/// All commands.
pub static COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        id: CommandId::Try,
        name: "try",
        operands: "[PROMPT...]",
        short: "chat with an agent here, without an account",
        long: &[
            "Starts a small WTT service on the loopback interface, connects to it like to the real one, and opens a chat in the terminal. No account and no settings are needed, and nothing leaves the machine but what the agent itself sends.",
            "The agent works in the current directory and, in mode full-auto, changes files and runs commands there without asking. `--workdir` names another directory; with `--mode suggest` it asks in the chat, where `/approve` and `/deny` answer; `--adapter demo` is harmless.",
            "The first agent CLI that is installed, works and is not logged out answers: Codex, then Claude Code, then the others in the order of `--adapter` below. Where there is none, a chat on a terminal goes on with a built-in demonstration agent and says so. With a PROMPT, or when stdin is not a terminal, that is an error that names what was found, with code 69; the demonstration agent then answers only to `--adapter demo`.",
            "On a terminal the prompt stays below everything else: answers, the status of the agent and its questions appear above what you are typing. The usual keys of a shell edit it: cursor keys, Home, End, Ctrl-A, Ctrl-K, Ctrl-W, Ctrl-Y. A paste of several lines is one message, which Enter sends. What you type before the prompt is there comes up behind it and is not sent by itself.",
            "Up, Down and Ctrl-R bring back earlier lines, also those of earlier chats: the last 500 are kept in a file that only you can read (see FILES). A line that begins with a space is not kept, nor one that holds a password or a token, nor a command that this program does not know and that has arguments, such as `/token ...`.",
            "`/attach PATH` in the chat, or a path alone on a line (terminals type it when you drop a file on them), sends a file with the next message. Files that the agent sends are shown with a link and with the place where the local service keeps them until the chat ends. With PROMPT, standard error names the place, and the file stays until a `try` on another day removes it. If the agent asks for permission when a script has ended, the answer is no.",
            "The settings of the environment, of `.env` and of profiles do not apply; `try` names those of the environment. It only uses the command of the agent that answers, such as `WTT_CONNECT_CODEX_COMMAND`.",
            "With a PROMPT it answers once and exits with 0, with 1 if there is no answer or it could not be written, or with 130 if it was stopped by Ctrl-C. In the chat, `/help` lists the commands, Ctrl-C stops the running turn, and `/quit`, Ctrl-D on an empty line or a second Ctrl-C at the prompt ends it; the first one drops what you were typing. SIGTERM and SIGHUP end both with 143 and 129.",
        ],
        flags: &[&ADAPTER, &WORKDIR, &profile_flags::MODE, &TERMINAL, &VERBOSE],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Start,
        name: "start",
        operands: "",
        short: "run the connector in the foreground",
        long: &[
            "Connects to the service and answers messages until it is told to stop. SIGTERM and SIGINT end it in order, within 20 seconds; a second one ends it at once.",
            "Settings are described in wtt-connect(5). Two connectors with one state directory are refused: the second exits at once with 75.",
        ],
        flags: &[&PROFILE, &ENV_FILE, &CONFIG, &LOG_TO_FILE],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Doctor,
        name: "doctor",
        operands: "[ADAPTER]",
        short: "check settings, directories, agents and the service",
        long: &[
            "Shows what is set and where it comes from, which directories can be written, which agent CLIs are found (on PATH and where installers put them) with their versions and whether they are logged in, and whether the service answers and accepts the token. Secrets are masked.",
            "Exits with 0 when `start` would run and its default agent could answer. Exits with 1 when something needs to be put right: `start` would refuse to run, or it would run but nobody would get an answer, because the agent CLI is missing or not logged in or the token is refused. Being offline alone is no problem. A reader that goes away before the end does not change the code.",
            "With ADAPTER it looks at that agent CLI only, whether it is enabled or not, and exits with 1 when it could not answer.",
        ],
        flags: &[&PROFILE, &ENV_FILE, &CONFIG, &OFFLINE, &REHEARSE, &DEFAULTS_TOO, &JSON],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Up,
        name: "up",
        operands: "[ADAPTER AGENT_ID [TOKEN]]",
        short: "bind an agent of the service to a CLI, in the background",
        long: &[
            "Checks the agent CLI, its login, the token and the directories; then writes the profile, installs and starts a service of this user (systemd or launchd), waits until it is connected, and says how it is.",
            "WTT's web page shows AGENT_ID and TOKEN under \"Bind Agent\". TOKEN may be `-` for stdin; `--token-file` and the variable `WTT_TOKEN` work as well, and keep it out of the shell's history.",
            "Again with a new token, or with other flags, it changes the profile and restarts the service once. What the command line does not name stays as it is in the profile, the token too. When a step fails, it says what has been done; run again, it does the rest.",
            "`WTT_BASE_URL` and `WTT_CONNECT_WORKDIR` of the environment count where the flags are not given and there is no profile yet; not when they are those of another agent that started this command. With `--env-file`, settings and identity come from that file, and the operands may be left out.",
            "Being offline is no failure: the service goes on trying. Exits with 78 when the service refuses the token or a setting is wrong, with 69 when the profile is written but this machine has no systemd or launchd for this user; it then prints the command to run instead.",
        ],
        flags: &[
            &profile_flags::AS_PROFILE,
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
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Down,
        name: "down",
        operands: "PROFILE",
        short: "stop a profile and its service for good",
        long: &[
            "Stops the service and takes it out of the login. PROFILE is the name of a profile, or the id of an agent that has one profile. The profile and the state stay, so that `wtt-connect up` brings it back where it was. A connector that was started by hand with `wtt-connect start` is stopped as well.",
        ],
        flags: &[&profile_flags::PURGE],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Workdir,
        name: "workdir",
        operands: "PROFILE DIR",
        short: "let the agent of a profile work elsewhere",
        long: &[
            "Puts DIR into the profile as `WTT_CONNECT_WORKDIR` and creates it when it is missing. It counts from the next start on. Agents find their earlier sessions by the directory: in a new one they begin anew.",
        ],
        flags: &[&profile_flags::RESTART],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Setup,
        name: "setup",
        operands: "",
        short: "register an agent and claim it with a code",
        long: &[
            "For those who have no agent on the web page yet: registers one unless the settings have one, and keeps its id and token in a profile. Says which agent CLI it chose, why, and which others are here, and prints the command `wtt-connect up` that binds it.",
        ],
        flags: &[
            &profile_flags::CLAIM_CODE,
            &profile_flags::BOUND_ADAPTER,
            &PROFILE,
            &profile_flags::BASE_URL,
        ],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::List,
        name: "list",
        operands: "",
        short: "list the profiles and whether they are connected",
        long: &[
            "Lists all profiles: identity, agent CLI, what runs the connector (systemd, launchd, or somebody by hand) or that it is stopped, whether it is connected, and where its agent works.",
        ],
        flags: &[&JSON],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Status,
        name: "status",
        operands: "[PROFILE]",
        short: "show how a connector is: connection, turns, problems",
        long: &[
            "Asks the running connector: since when it is connected or when it tries again, the last message, running and waiting turns, replies that are not delivered yet, messages that are kept until a usage limit resets, and what needs attention. Where the connector does not run, it says so and shows what its files tell.",
            "PROFILE is the name of a profile, or the id of an agent that has one profile; `all`, or nothing, means all of them.",
            "Exits with 0 when all that were asked about run and nothing needs to be put right; being offline is no such thing, because the connector tries again by itself. Exits with 1 when something has to be put right first, like a refused token, and with 69 when a connector does not run.",
        ],
        flags: &[&JSON],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::Restart,
        name: "restart",
        operands: "[PROFILE]",
        short: "restart a connector without cutting its turns",
        long: &[
            "Lets the connector start again in the same process, with the settings as they are now and the program file that is there now. It first lets its running turns end; messages that come meanwhile are kept and answered after it. Open terminals of the web page are closed. PROFILE as for `status`; one that does not run is named, and the code is 69.",
        ],
        flags: &[&NOW],
        hidden: false,
    },
    permissions::APPROVE,
    permissions::DENY,
    CommandSpec {
        id: CommandId::Logs,
        name: "logs",
        operands: "PROFILE",
        short: "show the newest lines of a connector's log",
        long: &[
            "Shows the journal of the profile's service (`journalctl --user`), or `wtt-connect.log` in the state directory where it logs to files. PROFILE is the name of a profile, or the id of an agent that has one profile.",
        ],
        flags: &[&LINES, &FOLLOW],
        hidden: false,
    },
    files::UPLOAD_FILE,
    files::ARTIFACTS,
    smoke::TASK,
    smoke::CHAT,
    CommandSpec {
        id: CommandId::Help,
        name: "help",
        operands: "[COMMAND]",
        short: "explain a command",
        long: &["Prints what `--help` prints, for one command or for all."],
        flags: &[],
        hidden: false,
    },
    CommandSpec {
        id: CommandId::DemoAgent,
        name: "demo-agent",
        operands: "[ARGUMENT...]",
        short: "the demonstration agent",
        long: &["Speaks the protocol of a real agent CLI on its standard streams. `try` starts it."],
        flags: &[],
        hidden: true,
    },
];

/// Looks a command up.
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
