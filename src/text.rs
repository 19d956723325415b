//! Small functions on text: shortening it for display, similar words, keys by prefix, percent-encoding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::ops::Bound;

/// At most `max` characters; an ellipsis replaces the rest.
pub fn truncate(s: &str, max: usize) -> String {
    if s.chars().count() <= max {
        return s.to_owned();
    }
    let mut out: String = s.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// A number with its noun: `1 reply`, `2 replies`.
pub fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// Makes one line of a text: control characters and runs of blanks become single spaces.
pub fn one_line(s: &str) -> String {
    s.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The entries of a map whose keys begin with `prefix`, in the order of the keys.
pub fn with_prefix<'a, T>(
    map: &'a BTreeMap<String, T>,
    prefix: &str,
) -> impl Iterator<Item = (&'a String, &'a T)> + use<'a, T> {
    let range = map.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    let prefix = prefix.to_owned(); // the iterator may outlive the text, which is often a temporary
    range.take_while(move |(key, _)| key.starts_with(&prefix))
}

/// Known words that are similar to this one, the most similar first: at most two edits, or a common prefix.
pub fn similar<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(60).collect();
    let bare = |w: &[char]| w.iter().filter(|c| **c != '-').count();
    let mut hits: Vec<(usize, &str)> = known
        .filter_map(|candidate| {
            let other: Vec<char> = candidate.chars().collect();
            let distance = distance(&word, &other);
            let begins = bare(&word) >= 3 && (other.starts_with(&word) || word.starts_with(&other));
            let close = distance <= 2 && distance * 2 <= bare(&other).min(bare(&word).max(1));
            (begins || close).then_some((distance, candidate))
        })
        .collect();
    hits.sort();
    hits.into_iter().take(2).map(|(_, candidate)| candidate).collect()
}

/// ` (did you mean x?)`, or nothing if no known word is similar.
pub fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    match similar(word, known).as_slice() {
        [] => String::new(),
        near => format!(" (did you mean {}?)", near.join(" or ")),
    }
}

/// The edit distance of two words: insertions, deletions, replacements, and swaps of adjacent letters.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes all but unreserved characters, for a segment or a value in a URL.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_counts_characters_and_says_that_it_cut() {
        assert_eq!(truncate("测试一下", 4), "测试一下");
        assert_eq!(truncate("测试一下吧", 4), "测试一…");
        assert_eq!(truncate("ab", 1), "…");
        assert_eq!(truncate("", 0), "");
    }

    #[test]
    fn one_line_has_no_line_ends_nor_control_characters() {
        assert_eq!(one_line(" a\n\tb\u{7}\u{3000}c\r\n"), "a b c");
        assert_eq!(one_line("\n"), "");
    }

    #[test]
    fn similar_words() {
        let of = |word| similar(word, ["start", "doctor", "try", "help"].into_iter());
        assert_eq!(of("strat"), ["start"]);
        assert_eq!(of("docter"), ["doctor"]);
        assert_eq!(of("doc"), ["doctor"]);
        assert!(of("xyz").is_empty());
        assert!(of("").is_empty());
        assert_eq!(similar("--profil", ["--profile", "--env-file"].into_iter()), ["--profile"]);
    }

    #[test]
    fn a_prefix_finds_all_of_its_keys_and_no_other() {
        let rows = [("t", 0), ("t:a", 1), ("t:b", 2), ("t1:a", 3), ("s:a", 4), ("t-2:a", 5)];
        let map: BTreeMap<String, u32> = rows.map(|(key, row)| (key.to_owned(), row)).into();
        assert_eq!(with_prefix(&map, "t:").map(|(_, row)| *row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(with_prefix(&map, "u").count(), 0);
        assert_eq!(with_prefix(&map, "").count(), 6);
    }

    #[test]
    fn ids_in_urls_stay_one_segment() {
        assert_eq!(percent_encode("a-1_b.c~"), "a-1_b.c~");
        assert_eq!(percent_encode("../x?y=ä b"), "..%2Fx%3Fy%3D%C3%A4%20b");
    }
}
