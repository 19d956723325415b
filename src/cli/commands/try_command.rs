//! `try`: checks the command line and starts the local chat.

use crate::cli::table::CommandArgs;
use crate::config::Mode;
use crate::error::{Error, Result};
use crate::local::chat::{self, ChatOptions};

/// Starts the service, the connector and the chat.
pub fn run(args: CommandArgs) -> Result<()> {
    let words: Option<Vec<String>> = args.operands.into_iter().map(|w| w.into_string().ok()).collect();
    let words = words.ok_or_else(|| Error::Usage("the prompt is not UTF-8 text".into()))?;
    let prompt = words.join(" ");
    if !words.is_empty() && prompt.trim().is_empty() {
        return Err(Error::Usage(
            "the prompt is empty; give one with words in it, or none to open a chat".into(),
        ));
    }
    if args.terminal && !words.is_empty() {
        return Err(Error::Usage("--terminal takes no prompt; what you type goes to the shell".into()));
    }
    if args.settings.iter().any(|(name, mode)| *name == "WTT_CONNECT_MODE" && mode == Mode::Yolo.name()) {
        return Err(Error::Usage(
            "`try` has no mode yolo; full-auto, its default, does not ask either".into(),
        ));
    }
    chat::run(ChatOptions {
        opens_terminal: args.terminal,
        adapter: args.adapter,
        prompt: (!words.is_empty()).then_some(prompt),
        workdir: args.workdir,
        is_verbose: args.verbose,
        settings: args.settings,
    })
}
