//! JSON in and out: one parser, and objects that are written down where they are made.
//!
//! `object!` does what `serde_json::json!` does for an object, but passes references to one function instead of
//! converting and inserting each member in place, which is three to five times as much program.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Parses JSON. The error says what is wrong and where, and holds nothing of the text.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    from_slice(bytes)
}

/// Parses JSON into a type. The error says what is wrong and where, and holds nothing of the text: files and messages of
/// others may hold secrets.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    serde_json::from_str(text).map_err(|e| describe(&e))
}

/// What is wrong, without the value: serde repeats one that does not fit its type before the word "expected".
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("a value does not fit: expected {expected}"),
        None => text,
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

/// A number as JSON writes it. The standard library's own parser has tables of ten kilobytes, for the last bit of each.
pub fn number(text: &str) -> Option<f64> {
    parse(text.as_bytes()).ok()?.as_f64()
}

/// An object: `object!({ "name": value, ... })`. A value is anything that is [`Json`]; `()` is null.
macro_rules! object {
    ({ $($name:literal: $value:expr),* $(,)? }) => {
        $crate::json::of(&[$(($name, &$value as &dyn $crate::json::Json)),*])
    };
}
pub(crate) use object;

/// What `object!` calls.
pub fn of(members: &[(&str, &dyn Json)]) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert((*name).to_owned(), value.json());
    }
    Value::Object(object)
}

/// What can be a value in JSON.
pub trait Json {
    /// As a value of its own.
    fn json(&self) -> Value;
}

/// Types that the library converts itself.
macro_rules! plain {
    ($($kind:ty),*) => {
        $(impl Json for $kind {
            fn json(&self) -> Value {
                self.clone().into()
            }
        })*
    };
}
plain!((), bool, i32, u32, i64, u64, usize, f64, String, Value, Map<String, Value>);

impl Json for str {
    fn json(&self) -> Value {
        self.into()
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn json(&self) -> Value {
        (**self).json()
    }
}

impl<T: Json> Json for Option<T> {
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Json::json)
    }
}

impl<T: Json> Json for [T] {
    fn json(&self) -> Value {
        self.iter().map(Json::json).collect()
    }
}

impl<T: Json, const N: usize> Json for [T; N] {
    fn json(&self) -> Value {
        self.as_slice().json()
    }
}

impl<T: Json> Json for Vec<T> {
    fn json(&self) -> Value {
        self.as_slice().json()
    }
}

impl Json for BTreeSet<String> {
    fn json(&self) -> Value {
        self.iter().map(Json::json).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_as_in_json() {
        assert_eq!([number("0.1"), number("-3"), number("1e3")], [Some(0.1), Some(-3.0), Some(1000.0)]);
        assert_eq!([number("1e999"), number("inf"), number("ten"), number("")], [None; 4]);
    }

    #[test]
    fn an_object_is_what_the_library_would_make() {
        let (name, none, list): (String, Option<&str>, Vec<u64>) = ("n".into(), None, vec![1, 2]);
        let ours = object!({ "name": name, "none": none, "some": Some(name.as_str()), "list": list, "null": (),
            "yes": true, "n": -1, "half": 0.5, "inner": object!({ "texts": ["a", "b"], "empty": object!({}) }) });
        let theirs = json!({ "name": name, "none": null, "some": "n", "list": [1, 2], "null": null, "yes": true, "n": -1,
            "half": 0.5, "inner": { "texts": ["a", "b"], "empty": {} } });
        assert_eq!(ours, theirs);
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
            let said = from_slice::<Shape>(text.as_bytes()).unwrap_err();
            assert!(said.contains(why) && !said.contains("hush") && !said.contains('7'), "{text}: {said}");
        }
        let Shape::Count { n } = from_slice(br#"{"kind":"count","n":18446744073709551615}"#).unwrap();
        assert_eq!(n, u64::MAX);
    }

    #[test]
    fn a_text_that_is_not_json_is_not_repeated() {
        for text in [&b"{\"secret\": hush}"[..], b"\xff", b""] {
            let why = parse(text).unwrap_err();
            assert!(!why.is_empty() && !why.contains("hush"), "{why}");
        }
    }
}
