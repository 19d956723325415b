//! The text of `/help` in the chat of `try`.

use super::markdown;
use crate::session::chat_command;

/// Columns that are left for the explanations in a terminal of 80.
const EXPLANATION_COLUMNS: usize = 54;

/// What the chat does by itself; the commands of the connector come from their table.
const LOCAL_HELP: &str = "\
Here:  /help  this text      /quit, /exit  end (also Ctrl-D, or Ctrl-C twice)
       /attach PATH  sends a file along with your next message; so does a path alone
       Ctrl-C  stops the running turn, as /stop does
       Up, Down, Ctrl-R  bring back or search what you typed earlier
       A line that begins with a space, or holds a password or token, is not kept.
The connector:";

/// The whole text.
pub(super) fn help_text() -> String {
    let mut out = LOCAL_HELP.to_owned();
    for (name, arguments, text) in chat_command::rows().filter(|row| row.0 != "/help") {
        let text = markdown::wrap(&text.replace('`', ""), EXPLANATION_COLUMNS)
            .replace('\n', &format!("\n{:25}", ""));
        out.push_str(&format!("\n  {:22} {text}", format!("{name} {arguments}")));
    }
    out + "\nAnything else goes to the agent."
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_explanation_stands_beside_its_command() {
        let help = super::help_text();
        assert!(!help.contains('`'), "{help}");
        let wrapped: Vec<&str> = help.lines().filter(|line| line.starts_with("     ")).collect();
        assert!(wrapped.iter().all(|line| line.starts_with(&" ".repeat(7))), "{help}");
        assert!(wrapped.iter().any(|line| line.starts_with(&" ".repeat(25)) && line.len() <= 80), "{help}");
    }
}
