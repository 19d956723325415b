//! Settings of files that are sent.

use super::spec::{SettingSpec, key};
use crate::config::kind::SettingKind;

/// The settings.
pub(super) static KEYS: &[SettingSpec] = &[key(
    "WTT_CONNECT_UPLOAD_ARTIFACTS",
    SettingKind::Flag,
    "0",
    "Sends the summary of each run of a task, and spoken answers, to the topic as files. Files that an agent or you send \
     on purpose do not need this setting.",
    "1",
)];
