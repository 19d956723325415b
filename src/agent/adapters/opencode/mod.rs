//! OpenCode: `opencode run --format json`, one process per turn (observed with 1.18.33:
//! `tests/fixtures/opencode`).

pub mod json_events;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, Invocation, LaunchContext, Login, LoginQuery, flag_value, variable,
};
use crate::agent::adapters::acp::dialect;
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::opencode::json_events::OpenCode;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `opencode`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "opencode",
    title: "OpenCode",
    aliases: &["open-code"],
    programs: &["opencode"],
    install_hint: "install it with `npm install -g opencode-ai`",
    login_hint: "Run `opencode auth login` on this machine, as the user of the connector.",
    session_key: "opencodeSessionId",
    login_query: Some(LoginQuery { args: &["auth", "list"], parse: login_state }),
    modes: &[
        (Mode::FullAuto, "`--auto`: nothing is asked; what its own settings forbid stays forbidden."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "`opencode acp` and OPENCODE_PERMISSION: it may read, and write files of the workspace; it asks for everything else.",
        ),
        (Mode::Suggest, "`opencode acp` and OPENCODE_PERMISSION: it may read, and asks for everything else."),
    ],
    invoke,
    dialect: |request| {
        if dialect::is_chosen(request) {
            Box::new(Acp::new(request, false))
        } else {
            Box::new(OpenCode::new(request))
        }
    },
    ..DEFAULTS
};

/// Everything that is not named here is denied, tools of MCP servers included.
const READ: &str = r#"{"*":"deny","read":"allow","glob":"allow","grep":"allow","list":"allow","lsp":"allow","webfetch":"allow","websearch":"allow","codesearch":"allow","todoread":"allow","todowrite":"allow","external_directory":"deny"}"#;
const EDIT: &str = r#"{"*":"deny","edit":"allow","read":"allow","glob":"allow","grep":"allow","list":"allow","lsp":"allow","webfetch":"allow","websearch":"allow","codesearch":"allow","todoread":"allow","todowrite":"allow","external_directory":"deny"}"#;

/// Its permissions in a mode that asks: it asks before everything that is not allowed.
pub(super) fn asking(mode: Mode) -> (String, OsString) {
    let rules = if mode == Mode::AutoEdit { EDIT } else { READ };
    variable("OPENCODE_PERMISSION", &rules.replace("\"deny\"", "\"ask\""))
}

fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let env_defaults =
        vec![variable("OPENCODE_DISABLE_AUTOUPDATE", "1"), variable("OPENCODE_DISABLE_LSP_DOWNLOAD", "1")];
    if dialect::is_chosen(request) {
        let env = request.can_ask().then(|| asking(request.mode)).into_iter().collect();
        return Invocation { args: vec!["acp".into()], env, env_defaults, ..Invocation::default() };
    }
    let mut args: Vec<OsString> = ["run", "--format=json", "--thinking"].map(OsString::from).into();
    let mut env = Vec::new();
    match request.mode {
        Mode::FullAuto | Mode::Yolo => args.push("--auto".into()),
        Mode::AutoEdit => env.push(variable("OPENCODE_PERMISSION", EDIT)),
        Mode::Suggest => env.push(variable("OPENCODE_PERMISSION", READ)),
    }
    args.extend(request.model_flag());
    // A variant of the model, in the provider's own words.
    let effort = request.explicit_effort().map(|word| if word == "off" { "none" } else { word });
    args.extend(effort.map(|word| flag_value("--variant=", word)));
    // Without this it trusts PWD, and hangs when a session is resumed from another directory.
    args.push(flag_value("--dir=", &request.workdir));
    args.extend(request.images.iter().map(|image| flag_value("--file=", &image.path)));
    args.extend(request.resumable(json_events::is_session).map(|session| flag_value("--session=", session)));
    Invocation { args, env, env_defaults, ..Invocation::default() }
}

/// `opencode auth list` prints counts: "2 credentials", "1 environment variable". If both are 0, a provider of its
/// configuration file may still work.
fn login_state(_code: Option<i32>, stdout: &str, _stderr: &str) -> Login {
    let counts = |line: &str, what: &str| {
        let before = line.split_once(what).map(|(before, _)| before.split_whitespace().last());
        before.flatten().and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > 0)
    };
    let found = |what: &str| stdout.lines().any(|line| counts(line, what));
    match (found("credential"), found("environment variable")) {
        (true, _) => Login::LoggedIn("credentials".to_owned()),
        (_, true) => Login::LoggedIn("environment".to_owned()),
        _ => Login::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::PromptImage;
    use crate::agent::adapter::sample;

    fn invocation(change: impl FnOnce(&mut TurnRequest)) -> (String, Invocation) {
        let mut request = TurnRequest { prompt: "-".to_owned(), ..sample::request() };
        change(&mut request);
        let invocation = invoke(&request, &LaunchContext { fresh_id: "x", is_root: true });
        (invocation.args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" "), invocation)
    }

    #[test]
    fn command_lines() {
        let base = "run --format=json --thinking";
        assert_eq!(invocation(|_| {}).0, format!("{base} --auto --dir=/w"));
        let one_shot = |mode| {
            move |r: &mut TurnRequest| {
                r.mode = mode;
                r.transport = Some("one-shot".to_owned());
            }
        };
        let (args, parts) = invocation(one_shot(Mode::Suggest));
        assert_eq!(args, format!("{base} --dir=/w"));
        let rules: serde_json::Value = serde_json::from_str(parts.env[0].1.to_str().unwrap()).unwrap();
        assert!(rules["*"] == "deny" && rules["read"] == "allow" && rules["bash"].is_null());
        for (mode, edit) in [(Mode::Suggest, serde_json::Value::Null), (Mode::AutoEdit, "allow".into())] {
            let (args, parts) = invocation(|r| r.mode = mode);
            assert_eq!(args, "acp");
            let rules: serde_json::Value = serde_json::from_str(parts.env[0].1.to_str().unwrap()).unwrap();
            assert!(rules["*"] == "ask" && rules["external_directory"] == "ask" && rules["edit"] == edit);
        }
        let (_, parts) = invocation(one_shot(Mode::AutoEdit));
        let rules: serde_json::Value = serde_json::from_str(parts.env[0].1.to_str().unwrap()).unwrap();
        assert!(rules["*"] == "deny" && rules["edit"] == "allow" && rules["bash"].is_null());
        let (args, _) = invocation(|r| {
            r.model = Some("anthropic/claude-x".to_owned());
            r.effort = Some("high".to_owned());
            r.resume = Some("ses_dfdff23b8ffe3NJKyjFSmIz09p".to_owned());
            r.images = vec![PromptImage { path: "/i/a.png".into(), media_type: String::new(), data: None }];
        });
        let session = "--session=ses_dfdff23b8ffe3NJKyjFSmIz09p";
        assert_eq!(
            args,
            format!(
                "{base} --auto --model=anthropic/claude-x --variant=high --dir=/w --file=/i/a.png {session}"
            )
        );
        assert!(!invocation(|r| r.resume = Some("--fork".to_owned())).0.contains("session"));
    }

    #[test]
    fn recorded_login_states() {
        let none =
            "\u{1b}[0m\n┌  Credentials \u{1b}[90m~/.local/share/opencode/auth.json\n│\n└  0 credentials\n";
        assert_eq!(login_state(Some(0), none, ""), Login::Unknown);
        let variable = format!(
            "{none}┌  Environment\n│\n●  Google \u{1b}[90mGEMINI_API_KEY\n│\n└  1 environment variable\n"
        );
        assert_eq!(login_state(Some(0), &variable, ""), Login::LoggedIn("environment".to_owned()));
        assert_eq!(login_state(Some(0), "└  2 credentials\n", ""), Login::LoggedIn("credentials".to_owned()));
    }
}
