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
    make: fn(&[&str]) -> Option<Command>,
}

const TABLE: &[CommandRow] = &[
    CommandRow {
        name: "/help",
        arguments: "",
        help: "this list",
        help_zh: "显示命令列表",
        make: |_| Some(Command::Help),
    },
    CommandRow {
        name: "/status",
        arguments: "",
        help: "adapter, model, folder and what is running",
        help_zh: "查看适配器、模型、目录和运行状态",
        make: |arguments| arguments.is_empty().then_some(Command::Status),
    },
    CommandRow {
        name: "/model",
        arguments: " [ID] [EFFORT]",
        help: "show or choose the model of this topic; `default` goes back",
        help_zh: "查看或切换本话题的模型",
        make: model,
    },
    CommandRow {
        name: "/mode",
        arguments: " [NAME]",
        help: "show or choose how much the agent may do without asking; never more than this host allows",
        help_zh: "查看或切换本话题的权限模式",
        make: |arguments| one(arguments, Command::Mode),
    },
    CommandRow {
        name: "/adapter",
        arguments: " [NAME]",
        help: "show or choose the agent of this topic; `default` goes back",
        help_zh: "查看或切换本话题的智能体",
        make: |arguments| one(arguments, Command::Adapter),
    },
    CommandRow {
        name: "/new",
        arguments: "",
        help: "start a new session; the agent forgets this conversation",
        help_zh: "开始新会话",
        make: |arguments| matches!(arguments, [] | ["session"]).then_some(Command::New),
    },
    CommandRow {
        name: "/clear",
        arguments: "",
        help: "the same as `/new`",
        help_zh: "同 /new",
        make: |arguments| arguments.is_empty().then_some(Command::New),
    },
    CommandRow {
        name: "/compact",
        arguments: " [WORDS]",
        help: "let the agent shorten the conversation; words say what to keep",
        help_zh: "压缩对话上下文",
        make: |arguments| Some(Command::Compact(arguments.join(" "))),
    },
    CommandRow {
        name: "/stop",
        arguments: "",
        help: "stop what is running",
        help_zh: "停止当前任务",
        // Whoever types more than the word still wants it to stop, and at once.
        make: |_| Some(Command::Stop),
    },
    CommandRow {
        name: STEER,
        arguments: " TEXT",
        help: "give the running agent a further message at once, instead of waiting for its turn",
        help_zh: "给运行中的智能体补充一条消息",
        make: |_| Some(Command::Steer(String::new())),
    },
    CommandRow {
        name: "/queue",
        arguments: "",
        help: "what runs and what waits in this topic",
        help_zh: "查看本话题的等待队列",
        make: |arguments| arguments.is_empty().then_some(Command::Queue),
    },
    CommandRow {
        name: "/sessions",
        arguments: "",
        help: "the sessions of this topic, earlier ones too",
        help_zh: "列出本话题的会话",
        make: |arguments| arguments.is_empty().then_some(Command::Sessions),
    },
    CommandRow {
        name: "/switch",
        arguments: " N",
        help: "go back to a session of `/sessions`, by its number or id",
        help_zh: "回到某个会话",
        make: |arguments| match arguments {
            [] => Some(Command::Sessions),
            [which] => Some(Command::Switch((*which).to_owned())),
            _ => None,
        },
    },
    CommandRow {
        name: "/usage",
        arguments: "",
        help: "tokens of this topic and of the last days",
        help_zh: "查看用量",
        make: |arguments| arguments.is_empty().then_some(Command::Usage),
    },
    CommandRow {
        name: "/voice",
        arguments: " [on|off]",
        help: "whether answers of this topic are spoken as well",
        help_zh: "开启或关闭语音回复",
        make: |arguments| match arguments {
            [] => Some(Command::Voice(None)),
            [word] if word.eq_ignore_ascii_case("on") => Some(Command::Voice(Some(true))),
            [word] if word.eq_ignore_ascii_case("off") => Some(Command::Voice(Some(false))),
            _ => None,
        },
    },
    CommandRow {
        name: "/upgrade",
        arguments: "",
        help: "how the connector is updated",
        help_zh: "如何升级连接器",
        make: |arguments| arguments.is_empty().then_some(Command::Upgrade),
    },
    CommandRow {
        name: "/approve",
        arguments: " [ID] [always]",
        help: "allow what the agent asks for, once or for this session; or answer its question",
        help_zh: "批准代理的请求，或回答它的问题",
        // its words keep their lines: see `parse`
        make: |_| None,
    },
    CommandRow {
        name: "/deny",
        arguments: " [ID] [REASON]",
        help: "refuse what the agent asks for; the reason `stop` also ends the turn",
        help_zh: "拒绝代理的请求",
        make: |_| None,
    },
];

/// The one command that takes more than a line.
const STEER: &str = "/steer";

/// A command with at most one argument.
fn one(arguments: &[&str], make: fn(Option<String>) -> Command) -> Option<Command> {
    match arguments {
        [] => Some(make(None)),
        [name] => Some(make(Some(name.to_lowercase()))),
        _ => None,
    }
}

fn model(arguments: &[&str]) -> Option<Command> {
    match arguments {
        // no model has such a name: somebody asks for one, in Chinese without blanks
        [model, ..] if !model.is_ascii() => None,
        [] => Some(Command::Model { model: None, effort: None }),
        [model] => Some(Command::Model { model: Some((*model).to_owned()), effort: None }),
        [model, effort] => {
            Some(Command::Model { model: Some((*model).to_owned()), effort: Some(effort.to_lowercase()) })
        }
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
