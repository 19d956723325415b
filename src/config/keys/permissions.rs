//! Settings of permission requests.

use super::spec::{SettingSpec, key};
use crate::config::kind::SettingKind;

pub(super) static KEYS: &[SettingSpec] = &[
    key(
        "WTT_CONNECT_PERMISSIONS",
        SettingKind::Permissions,
        "none; the mode alone decides",
        "Rules about what an agent may do: a JSON list, or the path of a file that holds one. A rule is an object with `action` (`allow`, `ask` or `deny`) \
         and, as a text or a list of texts, conditions: `adapter`, `tool`, `command`, `path`, `topic`, `task`; a rule without conditions applies to everything. \
         A matching deny rule takes precedence over everything else; then come the permissions that people have given in the topic for the session, then the first matching rule, then the mode. \
         In `command`, words are compared one by one; `*` matches any text, and `*` at the end any further words. In a line with several commands, redirections or substitutions, each part must be allowed. \
         In `path`, `*` matches any name and `**` any folders; a path is relative to the working directory, or begins with `/` or `~/`. \
         If a rule asks or denies, an agent is started in the form in which it asks for permission, whatever the mode; an agent that cannot ask is refused. Rules apply only to what an agent asks about: \
         not to what it may read without asking, and a command can be disguised, so a deny rule does not replace a sandbox.",
        r#"'[{"action":"deny","command":"git push *"},{"action":"allow","path":"docs/**"}]'"#,
    ),
    key(
        "WTT_CONNECT_APPROVAL_SECONDS",
        SettingKind::Seconds { min: 0, max: 86_400 },
        "600",
        "How long a permission request in the chat waits for an answer; after that it is denied, and the agent continues. With 0 nobody is asked, and whatever the mode does not allow is denied.",
        "1800",
    ),
];
