//! The types of the table of the command line: what a command, a flag and the typed words are.

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

impl CommandArgs {
    /// An operand by its place, from 0. What is not UTF-8 text is replaced.
    pub fn operand(&self, at: usize) -> Option<String> {
        self.operands.get(at).map(|word| word.to_string_lossy().into_owned())
    }
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
#[derive(Clone, Copy)]
pub struct FlagSpec {
    /// Without the dashes.
    pub long: &'static str,
    /// The letter of its short form.
    pub letter: Option<char>,
    /// One line, under 60 characters.
    pub short: &'static str,
    /// One paragraph.
    pub long_text: &'static str,
    /// What it does with [`CommandArgs`].
    pub action: FlagAction,
}

/// What a flag does with [`CommandArgs`].
#[derive(Debug, Clone, Copy)]
pub enum FlagAction {
    /// A switch.
    Switch(fn(&mut CommandArgs)),
    /// A flag with a value of this kind. The function checks and stores the value; its errors do not name the flag.
    Value(ValueKind, ValueSetter),
}

/// Checks a value and stores it.
pub type ValueSetter = fn(&mut CommandArgs, OsString) -> Result<(), String>;

impl FlagSpec {
    /// A flag without a value and without a letter.
    pub(super) const fn switch(
        long: &'static str,
        short: &'static str,
        long_text: &'static str,
        set: fn(&mut CommandArgs),
    ) -> FlagSpec {
        FlagSpec { long, letter: None, short, long_text, action: FlagAction::Switch(set) }
    }

    /// A flag with a value and without a letter.
    pub(super) const fn with_value(
        long: &'static str,
        kind: ValueKind,
        short: &'static str,
        long_text: &'static str,
        set: ValueSetter,
    ) -> FlagSpec {
        FlagSpec { long, letter: None, short, long_text, action: FlagAction::Value(kind, set) }
    }

    /// The same flag with a short form.
    pub(super) const fn with_letter(self, letter: char) -> FlagSpec {
        FlagSpec { letter: Some(letter), ..self }
    }

    /// The kind of its value; none for a switch.
    pub fn value_kind(&self) -> Option<ValueKind> {
        match self.action {
            FlagAction::Switch(_) => None,
            FlagAction::Value(kind, _) => Some(kind),
        }
    }
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
pub(super) fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| "is not UTF-8 text".into())
}
