//! Splits a message into words, without punctuation.

/// A word of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    /// The first word in brackets.
    pub(super) is_bracketed: bool,
    /// A full stop follows.
    pub(super) ends_sentence: bool,
}

/// What separates words, apart from white space. Signs of numbers, times, offsets and zone names are left.
const SEPARATORS: &[char] = &[
    ',', ';', '(', ')', '[', ']', '{', '}', '"', '\'', '=', '!', '?', '|', '\\', '`', '·', '∙', '•', '—', '’',
];

/// The words of a text. `_` separates words (`retry_after`), but not in `america/new_york`.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut is_bracketed = false;
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || SEPARATORS.contains(&c)) {
        let bare = piece.trim_end_matches(|c: char| c.is_whitespace() || SEPARATORS.contains(&c));
        let ends_sentence = bare.ends_with('.') || piece.ends_with(['!', '?']);
        let bare = bare.trim_matches(['.', ':', '~']);
        let parts = bare.split(|c| c == '_' && !bare.contains('/')).filter(|part| !part.is_empty());
        for text in parts {
            words.push(Word { text, is_bracketed, ends_sentence });
            is_bracketed = false;
        }
        is_bracketed |= piece.ends_with(['(', '[']);
    }
    words
}
