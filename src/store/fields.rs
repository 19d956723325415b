//! Takes typed fields out of a JSON object, one by one; what is left are the fields of a newer version. No IO.
//!
//! By hand, because derived readers of these few types would be more than a hundred kilobytes of program.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields that have not been taken yet.
pub(crate) struct Fields(Map<String, Value>);

/// What is wrong with a value: a sentence without a subject.
pub(crate) type Wrong = String;

impl Fields {
    /// The fields of an object.
    pub(crate) fn of(value: Value) -> Result<Fields, Wrong> {
        match value {
            Value::Object(fields) => Ok(Fields(fields)),
            _ => Err("it is not a JSON object".to_owned()),
        }
    }

    /// The fields of the object in a file's text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Fields, Wrong> {
        Fields::of(crate::json::parse(bytes)?)
    }

    /// A field that may be missing.
    pub(crate) fn take<T>(&mut self, name: &str, read: fn(Value) -> Option<T>) -> Result<Option<T>, Wrong> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| format!("`{name}` has the wrong type")),
        }
    }

    /// A field that must be there.
    pub(crate) fn need<T>(&mut self, name: &str, read: fn(Value) -> Option<T>) -> Result<T, Wrong> {
        self.take(name, read)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    /// The fields of an object that must be there.
    pub(crate) fn inner(&mut self, name: &str) -> Result<Fields, Wrong> {
        self.need(name, object).map(Fields)
    }

    /// An object whose members are all read in the same way; empty where it is missing.
    pub(crate) fn table<T>(
        &mut self,
        name: &str,
        read: fn(Fields) -> Result<T, Wrong>,
    ) -> Result<BTreeMap<String, T>, Wrong> {
        let mut table = BTreeMap::new();
        for (key, value) in self.take(name, object)?.unwrap_or_default() {
            table.insert(key, read(Fields::of(value)?)?);
        }
        Ok(table)
    }

    /// A list of texts; empty where it is missing.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Wrong> {
        self.take(name, |value| match value {
            Value::Array(items) => items.into_iter().map(text).collect(),
            _ => None,
        })
        .map(Option::unwrap_or_default)
    }

    /// A list of objects that are all read in the same way; empty where it is missing.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        read: fn(Fields) -> Result<T, Wrong>,
    ) -> Result<Vec<T>, Wrong> {
        let mut list = Vec::new();
        for item in self.take(name, array)?.unwrap_or_default() {
            list.push(read(Fields::of(item)?)?);
        }
        Ok(list)
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.0
    }
}

/// A text.
pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A number from zero.
pub(crate) fn count(value: Value) -> Option<u64> {
    value.as_u64()
}

/// Milliseconds since the epoch.
pub(crate) fn time(value: Value) -> Option<i64> {
    value.as_i64()
}

/// Yes or no.
pub(crate) fn flag(value: Value) -> Option<bool> {
    value.as_bool()
}

/// An object.
pub(crate) fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// A list.
pub(crate) fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}
