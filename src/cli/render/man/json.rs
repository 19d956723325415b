//! What the flag `--json` prints, for the manual: a promise to scripts, which `tests/control/json.rs` keeps true. No code
//! of the program uses it.

/// What holds for all of it.
pub static PROMISE: &str = "With `--json` a command prints one object. Fields may be added; none is taken away or gets another meaning. \
     What is not known is null. Times are RFC 3339 in UTC, and `seconds` are whole seconds.";

/// Each object, with its fields.
pub static OBJECTS: &[(&str, &str)] = &[
    (
        "status",
        "`profiles`: a list. Each has `profile` (its name), `agent_id`, `base_url`, `adapter`, `workdir` and `state_dir` as they \
         are set; `running`, whether its connector runs; `ok`, whether it runs and nothing needs to be put right; `problems`, a list of \
         sentences; `agents`, a list of the enabled ones with `adapter`, `version` and, when one cannot answer, `problem`; `live` while the \
         connector answers, and `files` while none runs.",
    ),
    (
        "status: live",
        "The process: `version`, `pid`, `started`, `seconds` since then, `service` (systemd or launchd, null by hand), `instance` (another \
         one after each restart), `restarting`, whether it is to start again; `replaced`, whether another program file lies there now; \
         `problems`. The settings it runs with: `agent_id`, `display_name`, `base_url`, `adapter`, `model`, `mode`, `workdir` and `agents` \
         (`adapter`, `path`, `problem`). `link`: `state` (connected, connecting, retrying, or refused when the token is), `since`, \
         `seconds` (connected for so long, or until the next try) and `problem`. `last_message`: `at`, `seconds` ago, `topic`. `running`: a \
         list of turns with `session`, `adapter`, `seconds` and `stopping`; `waiting`: how many wait. `outbox`: `replies` that are not \
         delivered, with the time and the age in seconds of the `oldest`. `parked`: `messages` that are kept for later, and when the `next` \
         is run. `asks`: open questions of agents with `id`, `topic`, `agent`, `tool`, `about`, `rule` and the `seconds` that are left. \
         `decisions`: the last 50, the newest first, with `at`, `id`, `topic`, `agent`, `tool`, `about`, `decision` and `by`.",
    ),
    (
        "status: files",
        "`sessions` and when one was `last_used`; `unfinished` turns, `parked` messages, `replies` to deliver.",
    ),
    (
        "list",
        "`profiles`: a list of `profile`, `agent_id`, `adapter`, `adapters`, `workdir`, `service` (systemd, launchd, by hand, stopped, or ? \
         when it does not answer), `running`, `pid` and `link` as above.",
    ),
    (
        "doctor",
        "`version`, `ok`, `profile`, `files` that were read, `settings` (`name`, `value`, `source`) and `findings` (`area`, `name`, `verdict`: \
         ok, note or problem, and `text`). With ADAPTER or `--rehearse` only `ok` and `findings`.",
    ),
    (
        "approve, deny",
        "Without ID `asks` as above, each with its `profile`; with ID the `text` that says what became of it.",
    ),
    (
        "artifacts",
        "`artifacts`: a list of `profile`, `at`, `from`, `name`, `title`, `size`, `sha256`, `mime_type`, `url`, `topic_id` and `task_id`.",
    ),
    ("upload-file", "`url`, `card`, `size` and `sha256`."),
];
