//! Fixed texts of the chat, and the names of the demonstration agent in those of the connector. Pure.

/// What stands before the line that the person types.
pub(super) const PROMPT: &str = "you › ";

/// A line that a terminal without an editor has cut.
pub(super) const LINE_TOO_LONG: &str = "\
This terminal cuts a line after 4095 bytes, and that line was as long: it was not sent. Break it up, or put it into a \
file and use `wtt-connect try \"$(cat FILE)\"`.";
/// Ctrl-C after lines were pasted.
pub(super) const PASTE_DROPPED: &str = "The pasted lines are dropped.";
/// Ctrl-C during a turn.
pub(super) const STOPPING: &str = "Stopping. Press Ctrl-C again to quit.";
/// Ctrl-C at the prompt.
pub(super) const QUIT_WARNING: &str = "Press Ctrl-C again to quit, as with /quit.";
/// The chat ends during a turn.
pub(super) const ENDING_TURN: &str = "Ending the running turn.";
/// A permission request when stdin is at its end.
pub(super) const DENIED_AT_END_OF_INPUT: &str = "The input has ended, so nobody can answer: denied.";
/// Something was typed before there was a prompt.
pub(super) const TYPED_AHEAD: &str =
    "What you typed before the prompt was ready is behind it now. Enter sends it.";

/// Lines came at once from a terminal that does not mark pastes.
pub(super) fn lines_pasted(count: usize) -> String {
    format!("{count} lines pasted: Enter sends them as one message, Ctrl-C drops them.")
}

/// Names in the connector's texts, and what they become for the demonstration agent: the connector takes it for the CLI
/// whose protocol it speaks. The first match counts; the Chinese ones are for Chinese texts.
pub(super) const DEMO_AGENT_NAMES: &[(&str, &str)] = &[
    ("The installed Claude Code", "The demonstration agent"),
    ("The provider of Claude Code", "The demonstration agent"),
    ("⚠️ Claude Code", "⚠️ The demonstration agent"),
    (". Claude Code", ". The demonstration agent"),
    ("Claude Code", "the demonstration agent"),
    (": claude-code", ": demonstration agent"),
    ("- claude-code:", "- demonstration agent:"),
    (". claude-code ", ". demonstration agent "),
    ("(claude-code)", "(demonstration agent)"),
    ("session claude-code", "session demonstration agent"),
    ("for claude-code,", "for the demonstration agent,"),
    ("Claude Code", "演示智能体"),
    ("claude-code", "演示智能体"),
];

/// Whether a text of the connector is Chinese: its first line is, whatever names and titles follow.
pub(super) fn is_chinese(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.contains(|c| matches!(c, '\u{4e00}'..='\u{9fff}')))
}

/// Replaces a name. The replacement gets a capital letter where it begins the text.
pub(super) fn replace_name(text: &str, name: &str, replacement: &str) -> String {
    let mut replaced = text.replace(name, replacement);
    if text.starts_with(name)
        && let Some(first) = replaced.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_middle_of_a_sentence_is_lower_case() {
        let named = |text| replace_name(text, "Claude Code", "the demonstration agent");
        assert_eq!(named("Claude Code fell silent."), "The demonstration agent fell silent.");
        assert_eq!(
            named("The provider of Claude Code failed."),
            "The provider of the demonstration agent failed."
        );
        assert_eq!(named(""), "");
        for (text, chinese) in [("**本话题**\n- claude-code：", true), ("Sessions:\n1. “你好”", false)]
        {
            assert_eq!(is_chinese(text), chinese, "{text}");
        }
    }
}
