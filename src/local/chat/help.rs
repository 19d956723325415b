//! What `/help` says in the chat of `try`.

use super::markdown;
use crate::session::chat_command;

/// Columns that 80 leave beside the commands.
const BESIDE: usize = 54;

/// What this program does itself; the commands of the connector come from their table.
const HELP: &str = "\
Here:  /help  this text      /quit, /exit  end (also Ctrl-D, or Ctrl-C twice)
       /attach PATH  sends a file along with your next message; a path alone does, too
       Ctrl-C  stops what runs, as /stop does
       Ctrl-R  shows what you had begun to type when the answer came
The connector:";

/// The text.
pub(super) fn help() -> String {
    let mut out = HELP.to_owned();
    for (name, arguments, text) in chat_command::rows().filter(|row| row.0 != "/help") {
        let text = markdown::wrap(&text.replace('`', ""), BESIDE).replace('\n', &format!("\n{:25}", ""));
        out.push_str(&format!("\n  {:22} {text}", format!("{name} {arguments}")));
    }
    out + "\nAnything else goes to the agent."
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_command_does_stands_beside_it() {
        let help = super::help();
        assert!(!help.contains('`'), "{help}");
        let wrapped: Vec<&str> = help.lines().filter(|line| line.starts_with("     ")).collect();
        assert!(wrapped.iter().all(|line| line.starts_with(&" ".repeat(7))), "{help}");
        assert!(wrapped.iter().any(|line| line.starts_with(&" ".repeat(25)) && line.len() <= 80), "{help}");
    }
}
