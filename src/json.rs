//! The one place where JSON is parsed: frames, HTTP bodies, lines of CLIs, profiles, requests and files all come
//! through [`parse`].
//!
//! If the JSON of other programs ever needs repair, it is done here. So no other file of the program calls
//! `serde_json::from_str` or `serde_json::from_slice` (`tests/tidy.rs` checks it). JSON is written with
//! `serde_json::json!` and derived `Serialize`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Parses one JSON text, as a `Value` or as a type that derives `Deserialize`.
///
/// # Errors
/// If the text is not UTF-8, not JSON, has more than blanks behind the value, or does not fit the type.
pub fn parse<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T, JsonError> {
    serde_json::from_slice(text.as_ref()).map_err(|error| JsonError::new(&error))
}

/// Why a text could not be parsed. It says what is wrong and where, and contains nothing of the text, which may be
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    description: String,
    line: usize,
    column: usize,
}

impl JsonError {
    fn new(error: &serde_json::Error) -> JsonError {
        let text = error.to_string();
        // serde repeats a value that does not fit its type before the word "expected"
        let description = match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("a value does not fit: expected {expected}"),
            None => text,
        };
        JsonError { description, line: error.line(), column: error.column() }
    }

    /// The line of the text, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The byte within the line, from 1; 0 before the first byte of a line.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for JsonError {}

impl From<JsonError> for String {
    fn from(error: JsonError) -> String {
        error.description
    }
}

/// For `#[serde(deserialize_with)]`: null counts as a missing field.
pub fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_text_and_its_bytes_give_the_same() {
        let text = r#" {"a": [1, 0.5, null, "ü"]} "#;
        let expected = json!({ "a": [1, 0.5, null, "ü"] });
        assert_eq!([parse::<Value>(text), parse(text.as_bytes())], [Ok(expected.clone()), Ok(expected)]);
        assert_eq!(parse("[1, 2]"), Ok(vec![1, 2]));
        assert!(parse::<Value>("1 2").is_err());
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = parse::<Vec<u64>>("[1,\n\"hush\"]").unwrap_err();
        assert_eq!((error.line(), error.column()), (2, 6));
        assert_eq!(error.to_string(), "a value does not fit: expected u64 at line 2 column 6");
    }

    #[test]
    fn a_value_that_does_not_fit_is_not_repeated() {
        #[derive(Debug, Deserialize)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        enum Shape {
            Count { n: u64 },
        }
        for (text, why) in [
            (r#"{"kind":"count","n":"hush, expected hush"}"#, "expected u64"),
            (r#"{"kind":"count","n":-7}"#, "expected u64"),
            (r#"{"kind":"hush"}"#, "expected `count`"),
            (r#"{"kind":"count"}"#, "missing field `n`"),
            (r#""hush""#, "expected "),
        ] {
            let said = parse::<Shape>(text).unwrap_err().to_string();
            assert!(said.contains(why) && !said.contains("hush") && !said.contains('7'), "{text}: {said}");
        }
        let Shape::Count { n } = parse(br#"{"kind":"count","n":18446744073709551615}"#).unwrap();
        assert_eq!(n, u64::MAX);
    }

    #[test]
    fn a_text_that_is_not_json_is_not_repeated() {
        for text in [&b"{\"secret\": hush}"[..], b"\xff", b""] {
            let why = parse::<Value>(text).unwrap_err().to_string();
            assert!(!why.is_empty() && !why.contains("hush"), "{why}");
        }
    }
}
