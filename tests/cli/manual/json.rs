//! The manual's description of what `--json` prints, which scripts rely on and `tests/control/json.rs` checks. No code of
//! the program uses it.

/// What holds for all objects.
pub static PROMISE: &str = "With `--json` a command prints one object. Later versions may add fields, but do not remove any or change their meaning. \
     Unknown values are null. Times are RFC 3339 in UTC, and `seconds` are whole seconds.";

/// Each object, with its fields.
pub static OBJECTS: &[(&str, &str)] = &[
    (
        "status",
        "`profiles`: a list. Each has `profile` (its name), `agent_id`, `base_url`, `adapter`, `workdir` and `state_dir` from the \
         settings; `running`, whether its connector runs; `ok`, whether it runs and nothing needs to be fixed; `problems`, a list of \
         sentences; `agents`, a list of the enabled ones with `adapter`, `version` and, if one cannot answer, `problem`; `live` if the \
         connector answers, and `files` if none runs.",
    ),
    (
        "status: live",
        "The process: `version`, `pid`, `started`, `seconds` since then, `service` (systemd or launchd; null if started by hand), `instance` (new \
         after each restart), `restarting`, whether a restart is pending; `replaced`, whether the program file has been replaced; \
         `problems`. Its settings: `agent_id`, `display_name`, `base_url`, `adapter`, `model`, `mode`, `workdir` and `agents` \
         (`adapter`, `path`, `problem`). `link`: `state` (connected, connecting, retrying, or refused if the token is), `since`, \
         `seconds` (since it connected, or until the next attempt) and `problem`. `last_message`: `at`, `seconds` ago, `topic`. `running`: a \
         list of turns with `session`, `adapter`, `seconds` and `stopping`; `waiting`: the number of waiting turns. `outbox`: the number of undelivered \
         `replies`, with the time and the age in seconds of the `oldest`. `parked`: the number of deferred `messages`, and when the `next` \
         one is run. `asks`: open permission requests with `id`, `topic`, `agent`, `tool`, `about`, `rule` and the remaining `seconds`. \
         `decisions`: the last 50, the newest first, with `at`, `id`, `topic`, `agent`, `tool`, `about`, `decision` and `by`.",
    ),
    (
        "status: files",
        "The numbers of `sessions`, `unfinished` turns, deferred (`parked`) messages and undelivered `replies`; when a session was \
         `last_used`.",
    ),
    (
        "list",
        "`profiles`: a list of `profile`, `agent_id`, `adapter`, `adapters`, `workdir`, `service` (systemd, launchd, by hand, stopped, or ? \
         if it does not answer), `running`, `pid` and `link` as above.",
    ),
    (
        "doctor",
        "`version`, `ok`, `profile`, `files` that were read, `settings` (`name`, `value`, `source`) and `findings` (`area`, `name`, `verdict`: \
         ok, note or problem, and `text`). With ADAPTER or `--rehearse` only `ok` and `findings`.",
    ),
    (
        "approve, deny",
        "Without ID: `asks` as above, each with its `profile`. With ID: `text`, which tells the result.",
    ),
    (
        "artifacts",
        "`artifacts`: a list of `profile`, `at`, `from`, `name`, `title`, `size`, `sha256`, `mime_type`, `url`, `topic_id` and `task_id`.",
    ),
    ("upload-file", "`url`, `card`, `size` and `sha256`."),
];
