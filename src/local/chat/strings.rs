//! Fixed words of the chat, and names in those of the connector. Pure.

/// A line that the terminal has cut.
pub const TOO_LONG: &str = "\
The terminal cuts a line after 4095 bytes, and that one was as long: it was not sent. Break it up, or put it into a \
file and use `wtt-connect try \"$(cat FILE)\"`.";

/// Whether the connector speaks Chinese here: its first line does, whatever names and titles follow.
pub fn is_chinese(words: &str) -> bool {
    words.lines().next().is_some_and(|line| line.contains(|c| matches!(c, '\u{4e00}'..='\u{9fff}')))
}

/// Replaces a name by words, which begin with a capital letter where they begin the text.
pub fn renamed(words: &str, wrong: &str, right: &str) -> String {
    let mut text = words.replace(wrong, right);
    if words.starts_with(wrong)
        && let Some(first) = text.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_middle_of_a_sentence_is_lower_case() {
        let named = |words| renamed(words, "Claude Code", "the demonstration agent");
        assert_eq!(named("Claude Code fell silent."), "The demonstration agent fell silent.");
        assert_eq!(
            named("The provider of Claude Code failed."),
            "The provider of the demonstration agent failed."
        );
        assert_eq!(named(""), "");
        for (words, chinese) in [("**本话题**\n- claude-code：", true), ("Sessions:\n1. “你好”", false)]
        {
            assert_eq!(is_chinese(words), chinese, "{words}");
        }
    }
}
