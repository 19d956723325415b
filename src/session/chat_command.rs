//! Chat commands that the connector answers itself: one table, a parser, the help text. Pure; the hub executes them.
//!
//! Everything else that begins with `/` is for the agent. So is a command with more text than it takes: nothing that
//! a person wrote is thrown away.

use crate::session::messages::{Lang, Msg};

/// What a person asked the connector to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The list of commands.
    Help,
    /// Adapter, model, folder, what is running.
    Status,
    /// Shows, or sets for this topic, model and effort. `default` goes back to the configured one.
    Model {
        /// Model id, to set it.
        model: Option<String>,
        /// Reasoning effort.
        effort: Option<String>,
    },
    /// Shows, or sets for this topic, the permission mode.
    Mode(Option<String>),
    /// Shows, or sets for this topic, the agent.
    Adapter(Option<String>),
    /// The next message starts a new session.
    New,
    /// The agent shortens the conversation; words say what matters.
    Compact(String),
    /// Ends the running turn.
    Stop,
    /// A further message for the running turn.
    Steer(String),
    /// What waits in this topic.
    Queue,
    /// Native sessions of this topic.
    Sessions,
    /// Back to one of them, by number or id.
    Switch(String),
    /// Tokens.
    Usage,
    /// Shows, or sets for this topic, whether answers are spoken.
    Voice(Option<bool>),
    /// How the connector is updated.
    Upgrade,
    /// Answers what an agent asks.
    Decide {
        /// Yes, or no.
        allow: bool,
        /// Which question; without it, the only one.
        id: Option<String>,
        /// What follows: `always`, a reason, an answer.
        words: String,
    },
}

/// Other words for commands, where CLIs have theirs: the web offers those of the CLI.
const ALIASES: &[(&str, &str)] = &[
    ("/models", "/model"),
    ("/permissions", "/mode"),
    ("/approvals", "/mode"),
    ("/reset", "/new"),
    ("/compress", "/compact"),
    ("/cost", "/usage"),
    ("/stats", "/usage"),
    ("/resume", "/sessions"),
];

/// A row of the table.
struct CommandRow {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    help_zh: &'static str,
    /// The command with these arguments, if it takes them.
    make: fn(&[&str]) -> Option<Command>,
}

macro_rules! commands {
    ($($name:expr, $arguments:literal, $make:expr, $help:literal, $help_zh:literal;)*) => {
        const TABLE: &[CommandRow] = &[$(
            CommandRow { name: $name, arguments: $arguments, help: $help, help_zh: $help_zh, make: $make },
        )*];
    };
}

commands! {
    "/help", "", |_| Some(Command::Help), "this list", "显示命令列表";
    "/status", "", |arguments| alone(arguments, Command::Status),
        "adapter, model, folder and what is running", "查看适配器、模型、目录和运行状态";
    "/model", " [ID] [EFFORT]", model,
        "show or choose the model of this topic; `default` goes back", "查看或切换本话题的模型";
    "/mode", " [NAME]", |arguments| one(arguments, Command::Mode),
        "show or choose how much the agent may do without asking; never more than this host allows",
        "查看或切换本话题的权限模式";
    "/adapter", " [NAME]", |arguments| one(arguments, Command::Adapter),
        "show or choose the agent of this topic; `default` goes back", "查看或切换本话题的智能体";
    "/new", "", |arguments| matches!(arguments, [] | ["session"]).then_some(Command::New),
        "start a new session; the agent forgets this conversation", "开始新会话";
    "/clear", "", |arguments| alone(arguments, Command::New), "the same as `/new`", "同 /new";
    "/compact", " [WORDS]", |arguments| Some(Command::Compact(arguments.join(" "))),
        "let the agent shorten the conversation; words say what to keep", "压缩对话上下文";
    // a person who types more than the word still wants the turn to stop, and at once
    "/stop", "", |_| Some(Command::Stop), "stop what is running", "停止当前任务";
    STEER, " TEXT", |_| Some(Command::Steer(String::new())),
        "give the running agent a further message at once, instead of waiting for its turn",
        "给运行中的智能体补充一条消息";
    "/queue", "", |arguments| alone(arguments, Command::Queue),
        "what runs and what waits in this topic", "查看本话题的等待队列";
    "/sessions", "", |arguments| alone(arguments, Command::Sessions),
        "the sessions of this topic, earlier ones too", "列出本话题的会话";
    "/switch", " N", switch, "go back to a session of `/sessions`, by its number or id", "回到某个会话";
    "/usage", "", |arguments| alone(arguments, Command::Usage),
        "tokens of this topic and of the last days", "查看用量";
    "/voice", " [on|off]", voice, "whether answers of this topic are spoken as well", "开启或关闭语音回复";
    "/upgrade", "", |arguments| alone(arguments, Command::Upgrade), "how the connector is updated", "如何升级连接器";
    // the words of these two keep their lines: see `parse`
    "/approve", " [ID] [always]", |_| None,
        "allow what the agent asks for, once or for this session; or answer its question",
        "批准代理的请求，或回答它的问题";
    "/deny", " [ID] [REASON]", |_| None,
        "refuse what the agent asks for; the reason `stop` also ends the turn", "拒绝代理的请求";
}

/// The one command that takes more than a line.
const STEER: &str = "/steer";

/// A command without arguments.
fn alone(arguments: &[&str], command: Command) -> Option<Command> {
    arguments.is_empty().then_some(command)
}

/// A command with at most one argument.
fn one(arguments: &[&str], make: fn(Option<String>) -> Command) -> Option<Command> {
    match arguments {
        [] => Some(make(None)),
        [name] => Some(make(Some(name.to_lowercase()))),
        _ => None,
    }
}

fn model(arguments: &[&str]) -> Option<Command> {
    let (model, effort) = match arguments {
        // no model has such a name: somebody asks for one, in Chinese without blanks
        [model, ..] if !model.is_ascii() => return None,
        [] => (None, None),
        [model] => (Some(*model), None),
        [model, effort] => (Some(*model), Some(effort.to_lowercase())),
        _ => return None,
    };
    Some(Command::Model { model: model.map(str::to_owned), effort })
}

fn switch(arguments: &[&str]) -> Option<Command> {
    match arguments {
        [] => Some(Command::Sessions),
        [which] => Some(Command::Switch((*which).to_owned())),
        _ => None,
    }
}

fn voice(arguments: &[&str]) -> Option<Command> {
    match arguments {
        [] => Some(Command::Voice(None)),
        [word] if word.eq_ignore_ascii_case("on") => Some(Command::Voice(Some(true))),
        [word] if word.eq_ignore_ascii_case("off") => Some(Command::Voice(Some(false))),
        _ => None,
    }
}

/// Several answers have a line each, so the lines stay.
fn decide(allow: bool, rest: &str) -> Command {
    let rest = rest.trim();
    let first = rest.split_whitespace().next().unwrap_or_default();
    let id = Some(first.to_lowercase()).filter(|word| is_request_id(word));
    let words = if id.is_some() { rest[first.len()..].trim() } else { rest };
    Command::Decide { allow, id, words: words.to_owned() }
}

/// Whether a word can be the id of a question: [`crate::sys::id::short_code`].
pub fn is_request_id(word: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase();
    matches!(word.as_bytes(), [a, b, c] if letter(*a) && b.is_ascii_digit() && letter(*c))
}

/// The command of an instruction ([`crate::wire::intake::Job::instruction`]), if it is one: a single line (but for
/// `/steer` and answers) that begins with a name of the table, in any letter case; a full-width slash counts.
pub fn parse(instruction: &str) -> Option<Command> {
    let text = instruction.trim();
    if !text.starts_with(['/', '／']) {
        return None;
    }
    let mut words = text.split_whitespace();
    let first = words.next()?;
    let name = first.replacen('／', "/", 1).to_lowercase();
    if name == STEER {
        return Some(Command::Steer(text[first.len()..].trim().to_owned()));
    }
    if matches!(name.as_str(), "/approve" | "/deny") {
        return Some(decide(name == "/approve", &text[first.len()..]));
    }
    if text.contains('\n') {
        return None;
    }
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name.as_str(), |(_, name)| name);
    let row = TABLE.iter().find(|row| row.name == name)?;
    (row.make)(&words.collect::<Vec<_>>())
}

/// Every command with its arguments and what it does, for the manual.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.iter().map(|row| (row.name, row.arguments.trim_start(), row.help))
}

/// The answer to `/help`, one line for each command.
pub fn help_text(lang: Lang) -> String {
    let mut out = Msg::HelpHead.to(lang, &[]) + "\n";
    for row in TABLE {
        let help = if lang == Lang::Zh { row.help_zh } else { row.help };
        out.push_str(&format!("\n- `{}{}`: {help}", row.name, row.arguments));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_recognised_and_nothing_else_is() {
        let model = |model: Option<&str>, effort: Option<&str>| {
            Some(Command::Model { model: model.map(str::to_owned), effort: effort.map(str::to_owned) })
        };
        for (instruction, want) in [
            ("/help", Some(Command::Help)),
            ("/HELP me", Some(Command::Help)),
            ("  /status\n", Some(Command::Status)),
            ("／status", Some(Command::Status)),
            ("/status of the build", None),
            ("/model", model(None, None)),
            ("/models", model(None, None)),
            ("/model openai-codex/gpt-5.5", model(Some("openai-codex/gpt-5.5"), None)),
            ("/model gpt-5.5 HIGH", model(Some("gpt-5.5"), Some("high"))),
            ("/model what are you running", None),
            ("/model 用哪个", None),
            ("/new", Some(Command::New)),
            ("/new session", Some(Command::New)),
            ("/new feature please", None),
            ("/clear", Some(Command::New)),
            ("/clear the table", None),
            ("/stop", Some(Command::Stop)),
            ("/stop now!", Some(Command::Stop)),
            ("/stop\nand do this", None),
            ("/stopwatch", None),
            ("/compact", Some(Command::Compact(String::new()))),
            ("/compact the plan", Some(Command::Compact("the plan".to_owned()))),
            ("/mode", Some(Command::Mode(None))),
            ("/permissions", Some(Command::Mode(None))),
            ("/Mode Suggest", Some(Command::Mode(Some("suggest".to_owned())))),
            ("/mode of payment", None),
            ("/adapter codex", Some(Command::Adapter(Some("codex".to_owned())))),
            ("/steer", Some(Command::Steer(String::new()))),
            ("／Steer look there\nand here", Some(Command::Steer("look there\nand here".to_owned()))),
            ("/steering wheel", None),
            ("/queue", Some(Command::Queue)),
            ("/queue up", None),
            ("/sessions", Some(Command::Sessions)),
            ("/switch", Some(Command::Sessions)),
            ("/switch 2", Some(Command::Switch("2".to_owned()))),
            ("/cost", Some(Command::Usage)),
            ("/upgrade", Some(Command::Upgrade)),
            ("/help/x", None),
            ("please /help", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(parse(instruction), want, "{instruction:?}");
        }
    }

    #[test]
    fn help_names_every_command() {
        let (help, zh) = (help_text(Lang::En), help_text(Lang::Zh));
        for row in TABLE {
            assert!(help.contains(&format!("`{}{}`: {}", row.name, row.arguments, row.help)));
            assert!(zh.contains(row.help_zh) && !zh.contains(row.help));
            assert!(parse(row.name).is_some(), "{}", row.name);
        }
    }
}
