//! What `/help` says in the chat of `try`.

use crate::session::command;

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
    for (name, arguments, text) in command::rows().filter(|row| row.0 != "/help") {
        out.push_str(&format!("\n  {:22} {text}", format!("{name} {arguments}")));
    }
    out + "\nAnything else goes to the agent."
}
