//! Adapters as data: names, programs, arguments. Their protocols are in their dialects ([`crate::agent::dialect`]); the
//! [`crate::agent::runner`] runs them.

use crate::agent::TurnRequest;
use crate::agent::dialect::Dialect;
use crate::config::Mode;
use std::ffi::{OsStr, OsString};

/// One agent CLI.
#[derive(Debug)]
pub struct AdapterSpec {
    /// The name in settings and routing: `codex`, `claude-code`.
    pub name: &'static str,
    /// The name for people: `Codex`, `Claude Code`.
    pub title: &'static str,
    /// Other names by which a message can mention it: `claude`.
    pub aliases: &'static [&'static str],
    /// Programs to look for on PATH, best first.
    pub programs: &'static [&'static str],
    /// How to install it; follows a semicolon.
    pub install_hint: &'static str,
    /// How to log in, one sentence.
    pub login_hint: &'static str,
    /// Key of the native session id in the state file: `codexThreadId`, `claudeSessionId`.
    pub session_key: &'static str,
    /// The npm launcher script in front of the native program, if there is one.
    pub launcher: Option<Launcher>,
    /// How `doctor` asks whether it is logged in.
    pub login_query: Option<LoginQuery>,
    /// What each permission mode means for it, one sentence each, for the manual. Turns in other modes are refused.
    pub modes: &'static [(Mode, &'static str)],
    /// Detects which program is installed, for names that stand for several programs. Each installed file is asked once,
    /// before a turn. Adapters with `None` are started without asking.
    pub flavor: Option<DetectFlavor>,
    /// What `doctor` says about a product that no longer exists.
    pub discontinued: Option<&'static str>,
    /// Whether it takes images as data ([`crate::agent::PromptImage::data`]).
    pub image_data: bool,
    /// How to query its session id after a turn that ended well, if it has not printed the id.
    pub post_turn_query: Option<PostTurnQuery>,
    /// Builds arguments and extra environment; pure.
    pub invoke: fn(&TurnRequest, &LaunchContext<'_>) -> Invocation,
    /// Makes the dialect for one turn.
    pub dialect: fn(&TurnRequest) -> Box<dyn Dialect>,
}

/// What an adapter needs to know about this machine and this launch.
#[derive(Debug, Clone, Copy)]
pub struct LaunchContext<'a> {
    /// A new UUID, for CLIs that let us choose the session id.
    pub fresh_id: &'a str,
    /// Whether we run as root.
    pub is_root: bool,
}

/// An npm launcher script in front of a native program. On Node 20 it stays as a parent, and a SIGKILL of the
/// launcher leaves the native program and its tools running (`tests/fixtures/codex/node20-wrapper-KILL.cmd`): so the
/// native program is started directly.
#[derive(Debug, Clone, Copy)]
pub struct Launcher {
    /// End of the script's path: `@openai/codex/bin/codex.js`.
    pub script: &'static str,
    /// Native programs of this platform, relative to the folder that contains the scope (`node_modules`) or to the package.
    pub native_programs: &'static [&'static str],
}

/// What a program printed about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramAnswers {
    /// The output of `--version`: stdout, then stderr.
    pub version: String,
    /// The output of `--help`; empty if the program did not answer.
    pub help: String,
}

/// One of several programs that bear the same name.
#[derive(Debug, Clone, Copy)]
pub struct Flavor {
    /// What `doctor` calls it; empty if there is only one.
    pub name: &'static str,
    /// How it is run. The `name` is the adapter's. The `session_key` differs if the flavor cannot resume the sessions of
    /// the other one.
    pub spec: &'static AdapterSpec,
}

/// Detects the flavor. The error is one sentence that says why the program cannot be run.
pub type DetectFlavor = fn(&ProgramAnswers) -> Result<Flavor, String>;

/// Login state of a CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Logged in; the words say how: `API key`, `claude.ai`.
    LoggedIn(String),
    /// Not logged in.
    LoggedOut,
    /// The CLI cannot be asked, or did not answer.
    Unknown,
}

/// How to query the login state of a CLI.
#[derive(Debug, Clone, Copy)]
pub struct LoginQuery {
    /// Arguments.
    pub args: &'static [&'static str],
    /// Reads the exit code (`None`: ended by a signal), stdout and stderr.
    pub parse: fn(Option<i32>, &str, &str) -> Login,
}

/// How to query a CLI for the session of the turn that has just ended.
#[derive(Debug, Clone, Copy)]
pub struct PostTurnQuery {
    /// Arguments.
    pub args: fn(&TurnRequest, &LaunchContext<'_>) -> Vec<OsString>,
    /// Finds the native session id in stdout.
    pub parse_session: fn(&str, &LaunchContext<'_>) -> Option<String>,
}

/// How a CLI is started for one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// Arguments after the program.
    pub args: Vec<OsString>,
    /// Additional environment variables.
    pub env: Vec<(String, OsString)>,
    /// Additional environment variables that do not replace a value set by the user.
    pub env_defaults: Vec<(String, OsString)>,
    /// What the CLI needs in a temporary folder. The runner creates the folder, and removes it with its contents.
    pub temp_dir_entries: &'static [TempDirEntry],
    /// The native session id, if we choose it and the CLI never prints it.
    pub chosen_session: Option<String>,
}

/// A flag and its value as one argument, so that the value cannot be taken for an option. The flag ends with its `=`.
pub fn flag_value(flag: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut arg = OsString::from(flag);
    arg.push(value);
    arg
}

/// An environment variable for an [`Invocation`].
pub fn variable(name: &str, value: &str) -> (String, OsString) {
    (name.to_owned(), value.into())
}

/// An entry of the temporary folder, with the variable that leads the CLI to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempDirEntry {
    /// The folder itself, in this variable.
    Folder(&'static str),
    /// A home folder with our settings.
    Home(HomeOverlay),
}

/// A copy of the user's home folder, made of links, whose settings are the user's merged with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeOverlay {
    /// The variable that the CLI reads instead of HOME; the links lead to the user's value of it.
    pub variable: &'static str,
    /// The CLI's folder in the home folder.
    pub settings_folder: &'static str,
    /// The settings file in that folder.
    pub settings_file: &'static str,
    /// Our settings, a JSON object.
    pub overrides: &'static str,
    /// Other entries of the home folder that the CLI reads.
    pub linked_entries: &'static [&'static str],
    /// Folders that the CLI creates in its own folder and that must persist.
    pub created_folders: &'static [&'static str],
}

/// Why the adapter cannot be run in this mode, to follow "refused to run this: "; `None` if it can.
pub fn mode_refusal(spec: &AdapterSpec, mode: Mode) -> Option<String> {
    if spec.modes.iter().any(|(known, _)| *known == mode) {
        return None;
    }
    let known: Vec<&str> = spec.modes.iter().map(|(known, _)| known.name()).collect();
    Some(format!(
        "it does not support the mode {}. The modes of `{}` are {}; set WTT_CONNECT_MODE (`up --mode`) to one of them.",
        mode.name(),
        spec.name,
        known.join(", ")
    ))
}

/// Whether a native session id may be handed to a CLI as an argument: a UUID and nothing else. What is not one makes
/// codex start a new thread silently (`tests/fixtures/codex/resume-badid.jsonl`), and claude search for a title
/// (`tests/fixtures/claude-code/resume-notuuid.jsonl`).
pub fn is_uuid(id: &str) -> bool {
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The same for CLIs that also take other names: short, of harmless characters, and not an option.
pub fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && !id.starts_with('-')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uuids_are_session_ids() {
        assert!(is_uuid("01a201fc-49a6-73b2-93a6-9a4fe7056111"));
        for bad in [
            "",
            "nonsense",
            "--help",
            "01a201fc-49a6-73b2-93a6-9a4fe705611",
            "01a201fc-49a6-73b2-93a6-9a4fe705611g",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
        assert!(is_plain_id("wtt-topic-1") && is_plain_id("01a201fc-49a6-73b2-93a6-9a4fe7056111"));
        for bad in ["", "--help", "a b", "a/b", "@file", &"x".repeat(65)] {
            assert!(!is_plain_id(bad), "{bad}");
        }
    }
}

/// A sample request and its arguments, for the tests of the specs.
#[cfg(test)]
pub mod sample {
    use super::{AdapterSpec, LaunchContext};
    use crate::agent::TurnRequest;
    use crate::config::Mode;

    /// `hello` in `/w`, nothing else asked for.
    pub fn request() -> TurnRequest {
        TurnRequest {
            prompt: "hello".to_owned(),
            workdir: "/w".into(),
            model: None,
            effort: None,
            mode: Mode::FullAuto,
            resume: None,
            fresh_prompt: None,
            images: Vec::new(),
            transport: None,
            is_slash_command: false,
        }
    }

    /// One line; a new session would be `NEW`.
    pub fn args(spec: &AdapterSpec, request: &TurnRequest) -> String {
        let invocation = (spec.invoke)(request, &LaunchContext { fresh_id: "NEW", is_root: false });
        invocation.args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}
