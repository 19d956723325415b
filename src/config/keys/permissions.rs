//! The settings of the permission broker.

use super::{Key, Kind, key};

pub(super) static KEYS: &[Key] = &[
    key(
        "WTT_CONNECT_PERMISSIONS",
        Kind::Permissions,
        "none; the mode alone decides",
        "Rules on what an agent may do: a JSON list, or the path of a file that holds one. A rule is an object with `action` (`allow`, `ask` or `deny`) \
         and, as text or list of texts, what it is about: `adapter`, `tool`, `command`, `path`, `topic`, `task`; without any of these it is about everything. \
         A rule that denies wins over all others; then what people have allowed in the topic for the session; then the first rule that matches; then the mode. \
         In `command`, words are compared one by one, `*` is any text, and `*` at the end any further words; of a line with several commands, redirections or substitutions, all must be allowed. \
         In `path`, `*` is any name and `**` any folders; it counts from the working directory, or begins with `/` or `~/`. \
         With a rule that asks or denies, an agent is started in the form in which it asks, whatever the mode; one that cannot ask is then refused. Rules see what an agent asks about: \
         what it may read without a question is not among it, and a command can be hidden from a rule that denies, so such a rule does not replace a sandbox.",
        r#"'[{"action":"deny","command":"git push *"},{"action":"allow","path":"docs/**"}]'"#,
    ),
    key(
        "WTT_CONNECT_APPROVAL_SECONDS",
        Kind::Seconds { min: 0, max: 86_400 },
        "600",
        "How long people have to answer what an agent asks in chat; then it is denied, and the agent goes on. 0 asks nobody: what the mode does not allow is denied.",
        "1800",
    ),
];
