//! Charm's crush: `crush run`, plain text (from its public source of 2026-08; `tests/fixtures/crush` shows the shapes).

pub mod plain_text;
mod session_id;

use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, PostTurnQuery, flag_value, is_uuid};
use crate::agent::adapters::crush::plain_text::Crush;
use crate::agent::adapters::crush::session_id::split_session_id;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::{TurnRequest, dialect};
use crate::config::Mode;
use crate::json;
use serde_json::Value;
use std::ffi::OsString;

/// The adapter `crush`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "crush",
    title: "Crush",
    programs: &["crush"],
    install_hint: "install it with `npm install -g @charmland/crush`",
    login_hint: "Run `crush` on this machine, as the user of the connector, and choose a provider.",
    session_key: "crushSessionId",
    modes: &[
        (Mode::FullAuto, "`crush run` allows everything by itself and cannot be told otherwise."),
        (Mode::Yolo, "The same as `full-auto`."),
    ],
    image_data: false,
    post_turn_query: Some(PostTurnQuery { args: last_session, parse_session: session_id }),
    invoke,
    dialect: |request| Box::new(Crush::new(request)),
    ..DEFAULTS
};

/// The prompt goes to stdin.
fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut args: Vec<OsString> = vec!["run".into(), "--quiet".into()];
    args.extend(folders(request, host));
    args.extend(request.model_flag());
    if let Some((_, session)) = request.resume.as_deref().and_then(split_session_id) {
        args.push(flag_value("--session=", session));
    }
    Invocation { args, ..Invocation::default() }
}

/// The session can only be found as the last one of a data directory, so each conversation has a directory of its own:
/// otherwise two topics with the same working directory would resume each other's sessions.
fn folders(request: &TurnRequest, host: &LaunchContext<'_>) -> [OsString; 2] {
    let directory = request.resume.as_deref().and_then(split_session_id).map_or(host.fresh_id, |ids| ids.0);
    let data = request.workdir.join(".crush/wtt-connect").join(directory);
    [flag_value("--cwd=", &request.workdir), flag_value("--data-dir=", data)]
}

fn last_session(request: &TurnRequest, host: &LaunchContext<'_>) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["session".into(), "last".into(), "--json".into()];
    args.extend(folders(request, host));
    args
}

/// `{"meta": {"id": <short hash>, "uuid": ..., "title": ...}, "messages": [...]}` (0.91).
fn session_id(stdout: &str, host: &LaunchContext<'_>) -> Option<String> {
    let last = json::parse::<Value>(stdout).ok()?;
    let id = dialect::string_field(&last["meta"], "uuid");
    is_uuid(id).then(|| format!("{}:{id}", host.fresh_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::adapter::sample::{args, request};

    const NEW: &str = "8e6771af-d7db-476d-8225-82c3162ed7ed";
    const OWN: &str = "01a201fc-49a6-73b2-93a6-9a4fe7056111";

    #[test]
    fn command_lines() {
        let mut request = request();
        assert_eq!(args(&SPEC, &request), "run --quiet --cwd=/w --data-dir=/w/.crush/wtt-connect/NEW");
        request.model = Some("--help".to_owned());
        request.resume = Some(format!("{OWN}:{NEW}"));
        let want = format!(
            "run --quiet --cwd=/w --data-dir=/w/.crush/wtt-connect/{OWN} --model=--help --session={NEW}"
        );
        assert_eq!(args(&SPEC, &request), want);
        for bad in [OWN, "../..:x", "a:b"] {
            request.resume = Some(bad.to_owned());
            assert!(args(&SPEC, &request).contains("/NEW ") && !args(&SPEC, &request).contains("--session"));
        }
    }

    #[test]
    fn the_session_is_read_back() {
        let host = LaunchContext { fresh_id: OWN, is_root: false };
        let said =
            format!("{{\"meta\":{{\"id\":\"5f3a\",\"uuid\":\"{NEW}\",\"title\":\"t\"}},\"messages\":[]}}");
        let id = session_id(&said, &host).unwrap();
        assert_eq!(split_session_id(&id), Some((OWN, NEW)));
        for bad in ["", "no sessions found", "{}", "{\"meta\":{\"uuid\":\"--help\"}}"] {
            assert_eq!(session_id(bad, &host), None, "{bad}");
        }
    }
}
