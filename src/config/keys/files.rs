//! Settings of files that go out.

use super::{Key, key};
use crate::config::kind::Kind;

/// Files out.
pub(super) static KEYS: &[Key] = &[key(
    "WTT_CONNECT_UPLOAD_ARTIFACTS",
    Kind::Flag,
    "0",
    "With 1, the summary of each run of a task, and speech, go into the topic as files. Files that an agent or you send on \
     purpose go out with 0 too.",
    "1",
)];
