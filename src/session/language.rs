//! The languages that the connector answers in, and which one a text is in. Pure. What is said is in `messages.rs`.

/// The languages that the connector answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English, also for everybody who writes neither.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// As it is kept on disk.
    pub fn stored(zh: bool) -> Lang {
        if zh { Lang::Zh } else { Lang::En }
    }

    /// The language of a text, if it has one: a chat command alone has none, but a full-width slash was typed on a
    /// Chinese keyboard. A Chinese sentence may hold some foreign words, and the other way round.
    pub fn of(text: &str) -> Option<Lang> {
        let text = text.trim();
        if text.starts_with('／') {
            return Some(Lang::Zh);
        }
        let is_word =
            |word: &&str| word.chars().any(|c| c.is_ascii_alphabetic()) && !word.chars().any(is_han);
        let han = text.chars().filter(|c| is_han(*c)).count();
        let words =
            text.split_whitespace().filter(|word| !word.starts_with(['/', '@'])).filter(is_word).count();
        match (han, words) {
            (0, 0) => None,
            _ if han > words => Some(Lang::Zh),
            // names of models and modes, behind a command
            (0, _) if text.starts_with('/') && words < 3 => None,
            _ => Some(Lang::En),
        }
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}
