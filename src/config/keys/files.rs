//! Settings of files that are sent.

use super::spec::{SettingSpec, switch};

/// The settings.
pub(super) static KEYS: &[SettingSpec] = &[switch(
    "WTT_CONNECT_UPLOAD_ARTIFACTS",
    "Sends the summary of each run of a task, and spoken answers, to the topic as files. Files that an agent or you send \
     on purpose do not need this setting.",
)];
