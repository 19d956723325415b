//! Mentions: whom `@` addresses in a text (see MENTIONS in wtt-connect-protocol(7)).
//!
//! Two grammars at once: the ASCII token of the plugin (`@alice_codex`, compared without case and punctuation), and
//! the literal display name behind the `@` (`@Alice Codex`, `@小明`), which the completion of the web page inserts.

use crate::wire::identity::Identity;

/// Longest token behind `@` (plugin grammar, confirmed).
const TOKEN_CHARS: usize = 64;
/// How many characters before an `@` are searched for a URL that contains it (`https://host/@name`).
const URL_CHARS: usize = 80;
/// Words that address everyone; the Chinese ones are matched literally.
const EVERYONE: [&str; 2] = ["all", "everyone"];
const EVERYONE_LITERAL: [&str; 2] = ["全体", "所有人"];

/// Whom a mention addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// This agent.
    Me,
    /// The name of this agent is a prefix of the word, in a script without blanks (`@小明天` may be 小明 or 小明天).
    Perhaps,
    /// Everyone, as by `@all`.
    Everyone,
    /// Another name, as a normalized token.
    Other(String),
}

/// A mention and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Byte offset of the `@`.
    pub start: usize,
    /// Byte offset behind the name.
    pub end: usize,
    /// Whom it addresses.
    pub who: Addressee,
}

/// The names of this agent, prepared for comparison.
#[derive(Debug, Clone)]
pub struct AgentNames {
    tokens: Vec<String>,
    literals: Vec<Vec<char>>,
}

impl AgentNames {
    /// Id, display name and aliases.
    pub fn of(me: &Identity) -> AgentNames {
        let names = || [&me.agent_id].into_iter().chain(&me.display_name).chain(&me.aliases);
        let mut literals: Vec<Vec<char>> = names()
            .map(|name| name.trim().trim_start_matches('@').chars().map(fold).collect::<Vec<char>>())
            .filter(|name| !name.is_empty())
            .collect();
        // The longest first, so that `@Alice Codex` is not cut after `Alice`.
        literals.sort_by_cached_key(|name| std::cmp::Reverse(name.len()));
        AgentNames {
            tokens: names().map(|n| normalize_name(n)).filter(|n| !n.is_empty()).collect(),
            literals,
        }
    }

    /// Whether `name` (without `@`) is a name of this agent.
    pub fn contain(&self, name: &str) -> bool {
        let name = normalize_name(name);
        !name.is_empty() && self.tokens.contains(&name)
    }

    /// All mentions in a text.
    pub fn mentions(&self, text: &str) -> Vec<Mention> {
        if !text.contains(['@', '＠']) {
            return Vec::new();
        }
        let chars: Vec<(usize, char)> = text.char_indices().map(|(i, c)| (i, fold(c))).collect();
        let mut found = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            if chars[at].1 == '@'
                && !continues_word(&chars[..at])
                && let Some((who, length)) = self.at(&chars[at + 1..])
            {
                let behind = at + 1 + length;
                let end = chars.get(behind).map_or(text.len(), |(i, _)| *i);
                found.push(Mention { start: chars[at].0, end, who });
                at = behind;
                continue;
            }
            at += 1;
        }
        found
    }

    /// The addressee that is named at the start of `rest`, and the length of the name in characters.
    fn at(&self, rest: &[(usize, char)]) -> Option<(Addressee, usize)> {
        let token = rest.iter().take(TOKEN_CHARS).take_while(|(_, c)| is_token_char(*c)).count();
        let starts_well = rest.first().is_some_and(|(_, c)| c.is_ascii_alphanumeric());
        let token = if starts_well { token } else { 0 };
        let word: String =
            rest[..token].iter().map(|(_, c)| c).filter(|c| c.is_ascii_alphanumeric()).collect();

        let mut perhaps = None;
        for name in &self.literals {
            let Some(length) = literal(rest, name) else { continue };
            match border(name[name.len() - 1], &rest[length..]) {
                Border::Clear => return Some((Addressee::Me, length)),
                Border::Open => perhaps = perhaps.or(Some((Addressee::Perhaps, length))),
                Border::Inside => {}
            }
        }
        if token > 0 && self.tokens.contains(&word) {
            return Some((Addressee::Me, trimmed(&rest[..token])));
        }
        if EVERYONE.contains(&word.as_str()) {
            return Some((Addressee::Everyone, trimmed(&rest[..token])));
        }
        if perhaps.is_some() {
            return perhaps;
        }
        for name in EVERYONE_LITERAL {
            let name: Vec<char> = name.chars().collect();
            if let Some(length) = literal(rest, &name) {
                return Some((Addressee::Everyone, length));
            }
        }
        (token > 0).then(|| (Addressee::Other(word), trimmed(&rest[..token])))
    }
}

/// Converts to lower case, and full-width ASCII to ASCII. One character remains one character.
fn fold(c: char) -> char {
    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    };
    c.to_lowercase().next().unwrap_or(c)
}

/// Normalizes a name for comparisons: folded, letters and digits only.
pub fn normalize_name(name: &str) -> String {
    name.chars().map(fold).filter(|c| c.is_alphanumeric()).collect()
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The length of a token without trailing punctuation (`@alice.` ends a sentence).
fn trimmed(token: &[(usize, char)]) -> usize {
    token.iter().rposition(|(_, c)| c.is_ascii_alphanumeric()).map_or(0, |i| i + 1)
}

/// Chinese, Japanese and Korean scripts, which are written without blanks: a name there has no clear end, and a
/// mention may follow a letter at once.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether the `@` behind `before` is part of an e-mail address or of a URL.
fn continues_word(before: &[(usize, char)]) -> bool {
    match before.last().map(|(_, c)| *c) {
        None => false,
        Some('/') => {
            // in the path of a URL: there is a `//` behind the last blank or mention
            let run = before.iter().rev().take(URL_CHARS).map(|(_, c)| *c);
            let mut run = run.take_while(|c| !c.is_whitespace() && *c != '@');
            let mut slashes = 0;
            run.any(|c| {
                slashes = if c == '/' { slashes + 1 } else { 0 };
                slashes == 2
            })
        }
        Some(c) => c == '_' || (c.is_alphanumeric() && !is_unspaced(c)),
    }
}

/// The number of characters at the start of `rest` that spell `name`; none if they do not. A blank in the name matches
/// `_`, `-` and runs of blanks.
fn literal(rest: &[(usize, char)], name: &[char]) -> Option<usize> {
    let mut at = 0;
    for c in name {
        if c.is_whitespace() {
            let blanks =
                rest[at..].iter().take(4).take_while(|(_, r)| matches!(r, ' ' | '\t' | '_' | '-')).count();
            if blanks == 0 {
                return None;
            }
            at += blanks;
        } else {
            if rest.get(at).is_none_or(|(_, r)| r != c) {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

/// How a literal name ends in the text.
enum Border {
    /// No character follows that could belong to the name.
    Clear,
    /// A letter follows, but in this script the name may end before it.
    Open,
    /// It is the start of a longer word.
    Inside,
}

fn border(last: char, rest: &[(usize, char)]) -> Border {
    let mut next = rest.iter().map(|(_, c)| *c);
    match next.next() {
        Some(c) if is_unspaced(c) && c.is_alphanumeric() => {
            if is_unspaced(last) {
                Border::Open
            } else {
                Border::Clear
            }
        }
        Some(c) if c.is_alphanumeric() || c == '_' => {
            if is_unspaced(last) {
                Border::Open
            } else {
                Border::Inside
            }
        }
        // `@alice-2` and `@alice.dev` are other names; `@alice.` ends a sentence.
        Some('-' | '.') if next.next().is_some_and(|c| c.is_ascii_alphanumeric()) => Border::Inside,
        _ => Border::Clear,
    }
}
