//! A file on its way out, as the outbox keeps it. Plain data.

use crate::store::fields::{self, Fields, Wrong};
use crate::store::shelf::Copied;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A copy on the shelf, with all that its card needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The copy.
    pub copied: Copied,
    /// What the file is called.
    pub name: String,
    /// What people see.
    pub title: String,
    /// `application/pdf` and so on.
    pub mime: String,
    /// Where its card goes.
    pub topic_id: String,
    /// The task, in a task's topic.
    pub task_id: Option<String>,
    /// It holds the answer itself: if it cannot be sent, the text goes in pieces.
    pub instead: bool,
    /// People are told of it in Chinese.
    pub zh: bool,
}

impl Upload {
    /// Reads one of an outbox file.
    pub(crate) fn read(fields: &mut Fields) -> Result<Upload, Wrong> {
        Ok(Upload {
            copied: Copied {
                copy: fields.need("copy", fields::text)?,
                from: fields.need("from", fields::text)?,
                hash: fields.need("hash", fields::text)?,
                size: fields.need("size", fields::count)?,
            },
            name: fields.need("name", fields::text)?,
            title: fields.need("title", fields::text)?,
            mime: fields.need("mime", fields::text)?,
            topic_id: fields.need("topic_id", fields::text)?,
            task_id: fields.take("task_id", fields::text)?,
            instead: fields.take("instead", fields::flag)?.unwrap_or(false),
            zh: fields.take("zh", fields::flag)?.unwrap_or(false),
        })
    }
}

impl Serialize for Upload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in [
            ("copy", &self.copied.copy),
            ("from", &self.copied.from),
            ("hash", &self.copied.hash),
            ("name", &self.name),
            ("title", &self.title),
            ("mime", &self.mime),
            ("topic_id", &self.topic_id),
        ] {
            map.serialize_entry(name, text)?;
        }
        map.serialize_entry("size", &self.copied.size)?;
        map.serialize_entry("task_id", &self.task_id)?;
        map.serialize_entry("instead", &self.instead)?;
        map.serialize_entry("zh", &self.zh)?;
        map.end()
    }
}
