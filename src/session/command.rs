//! Chat commands that the connector answers itself: one table, a parser, the help text. Pure; the hub executes them.
//!
//! Everything else that begins with `/` is for the agent. So is a command with more text than it takes: nothing that
//! a person wrote is thrown away.

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
    /// The next message starts a new session.
    New,
    /// Ends the running turn.
    Stop,
}

/// A row of the table.
struct Row {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    help_zh: &'static str,
    make: fn(&[&str]) -> Option<Command>,
}

const TABLE: [Row; 6] = [
    Row {
        name: "/help",
        arguments: "",
        help: "this list",
        help_zh: "显示命令列表",
        make: |_| Some(Command::Help),
    },
    Row {
        name: "/status",
        arguments: "",
        help: "adapter, model, folder and what is running",
        help_zh: "查看适配器、模型、目录和运行状态",
        make: |arguments| arguments.is_empty().then_some(Command::Status),
    },
    Row {
        name: "/model",
        arguments: " [ID] [EFFORT]",
        help: "show or choose the model of this topic; `default` goes back",
        help_zh: "查看或切换本话题的模型",
        make: model,
    },
    Row {
        name: "/new",
        arguments: "",
        help: "start a new session; the agent forgets this conversation",
        help_zh: "开始新会话",
        make: |arguments| matches!(arguments, [] | ["session"]).then_some(Command::New),
    },
    Row {
        name: "/clear",
        arguments: "",
        help: "the same as `/new`",
        help_zh: "同 /new",
        make: |arguments| arguments.is_empty().then_some(Command::New),
    },
    Row {
        name: "/stop",
        arguments: "",
        help: "stop what is running",
        help_zh: "停止当前任务",
        // Whoever types more than the word still wants it to stop, and at once.
        make: |_| Some(Command::Stop),
    },
];

fn model(arguments: &[&str]) -> Option<Command> {
    match arguments {
        [] => Some(Command::Model { model: None, effort: None }),
        [model] => Some(Command::Model { model: Some((*model).to_owned()), effort: None }),
        [model, effort] => {
            Some(Command::Model { model: Some((*model).to_owned()), effort: Some(effort.to_lowercase()) })
        }
        _ => None,
    }
}

/// The command of an instruction ([`crate::wire::intake::Job::instruction`]), if it is one: a single line that begins
/// with a name of the table, in any letter case; a full-width slash counts, `/models` is `/model`.
pub fn parse(instruction: &str) -> Option<Command> {
    let line = instruction.trim();
    if line.contains('\n') || !line.starts_with(['/', '／']) {
        return None;
    }
    let mut words = line.split_whitespace();
    let name = words.next()?.replacen('／', "/", 1).to_lowercase();
    let name = if name == "/models" { "/model" } else { name.as_str() };
    let row = TABLE.iter().find(|row| row.name == name)?;
    (row.make)(&words.collect::<Vec<_>>())
}

/// Every command with its arguments and what it does, for the manual.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.iter().map(|row| (row.name, row.arguments.trim_start(), row.help))
}

/// The answer to `/help`, one line for each command.
pub fn help_text() -> String {
    let mut out = "Commands of the connector; everything else goes to the agent.\n".to_owned();
    for row in &TABLE {
        out.push_str(&format!("\n- `{}{}`: {} ({})", row.name, row.arguments, row.help, row.help_zh));
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
            ("/new", Some(Command::New)),
            ("/new session", Some(Command::New)),
            ("/new feature please", None),
            ("/clear", Some(Command::New)),
            ("/clear the table", None),
            ("/stop", Some(Command::Stop)),
            ("/stop now!", Some(Command::Stop)),
            ("/stop\nand do this", None),
            ("/stopwatch", None),
            ("/compact", None),
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
        let help = help_text();
        for row in &TABLE {
            assert!(help.contains(&format!("`{}{}`", row.name, row.arguments)) && help.contains(row.help_zh));
            assert!(parse(row.name).is_some(), "{}", row.name);
        }
    }
}
