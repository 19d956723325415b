//! Charm's crush: `crush run`, plain text (from its public source of 2026-08).

pub mod plain_text;

use crate::agent::adapter;
use crate::agent::adapter::{AdapterSpec, Invocation, LaunchContext, PostTurnQuery};
use crate::agent::adapters::crush::plain_text::{Crush, parts};
use crate::agent::{TurnRequest, dialect};
use crate::config::Mode;
use crate::json;
use serde_json::Value;
use std::ffi::OsString;

/// The adapter `crush`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "crush",
    title: "Crush",
    aliases: &[],
    programs: &["crush"],
    install_hint: "install it with `npm install -g @charmland/crush`",
    login_hint: "Run `crush` on this machine, as the user of the connector, and choose a provider.",
    session_key: "crushSessionId",
    launcher: None,
    login_query: None,
    modes: &[
        (Mode::FullAuto, "`crush run` allows everything by itself and cannot be told otherwise."),
        (Mode::Yolo, "The same as `full-auto`."),
    ],
    flavor: None,
    discontinued: None,
    image_data: false,
    post_turn_query: Some(PostTurnQuery { args: last_session, parse_session: session_id }),
    invoke,
    dialect: |request| Box::new(Crush::new(request)),
};

/// Values are glued to their flags, so that none can be taken for an option. The prompt goes to stdin.
fn invoke(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut args: Vec<OsString> = vec!["run".into(), "--quiet".into()];
    args.extend(places(request, host));
    args.extend(request.model.as_deref().map(|model| format!("--model={model}").into()));
    if let Some((_, session)) = request.resume.as_deref().and_then(parts) {
        args.push(format!("--session={session}").into());
    }
    Invocation { args, ..Invocation::default() }
}

/// The session can only be found as the last one of a data directory, so each conversation has its own: two topics that
/// share a working directory would else take over each other's.
fn places(request: &TurnRequest, host: &LaunchContext<'_>) -> [OsString; 2] {
    let own = request.resume.as_deref().and_then(parts).map_or(host.fresh_id, |(own, _)| own);
    let (mut cwd, mut data) = (OsString::from("--cwd="), OsString::from("--data-dir="));
    cwd.push(&request.workdir);
    data.push(request.workdir.join(".crush/wtt-connect").join(own));
    [cwd, data]
}

fn last_session(request: &TurnRequest, host: &LaunchContext<'_>) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["session".into(), "last".into(), "--json".into()];
    args.extend(places(request, host));
    args
}

/// `{"meta": {"id": <short hash>, "uuid": ..., "title": ...}, "messages": [...]}` (0.91).
fn session_id(stdout: &str, host: &LaunchContext<'_>) -> Option<String> {
    let last = json::parse::<Value>(stdout).ok()?;
    let id = dialect::string_field(&last["meta"], "uuid");
    adapter::is_uuid(id).then(|| format!("{}:{id}", host.fresh_id))
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
        assert_eq!(parts(&id), Some((OWN, NEW)));
        for bad in ["", "no sessions found", "{}", "{\"meta\":{\"uuid\":\"--help\"}}"] {
            assert_eq!(session_id(bad, &host), None, "{bad}");
        }
    }
}
