//! Settings of files that are sent.

use super::spec::{Key, key};
use crate::config::kind::Kind;

/// The settings.
pub(super) static KEYS: &[Key] = &[key(
    "WTT_CONNECT_UPLOAD_ARTIFACTS",
    Kind::Flag,
    "0",
    "Sends the summary of each run of a task, and spoken answers, to the topic as files. Files that an agent or you send \
     on purpose do not need this setting.",
    "1",
)];
