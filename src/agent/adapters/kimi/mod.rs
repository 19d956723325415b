//! Kimi: one name for two programs. Kimi Code 2 (`kimi -p`, observed with 2.1.0: `tests/fixtures/kimi`) is the current
//! one; kimi-cli 1 (`kimi --print`, observed with 1.51.0: `tests/fixtures/kimi-cli`) has ended, and its last release only
//! says so.

pub mod stream_json;

use crate::agent::TurnRequest;
use crate::agent::adapter::{
    AdapterSpec, Flavor, Invocation, LaunchContext, ProgramAnswers, flag_value, is_uuid, variable,
};
use crate::agent::adapters::acp::dialect;
use crate::agent::adapters::acp::dialect::Acp;
use crate::agent::adapters::defaults::DEFAULTS;
use crate::agent::adapters::kimi::stream_json::Kimi;
use crate::config::Mode;
use std::ffi::OsString;

/// The adapter `kimi`, as Kimi Code.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "kimi",
    title: "Kimi",
    aliases: &["kimi-code", "kimi-cli"],
    programs: &["kimi"],
    install_hint: "install it with `npm install -g @moonshot-ai/kimi-code`",
    login_hint: "Run `kimi login` on this machine, as the user of the connector.",
    session_key: "kimiSessionId",
    modes: &[
        (Mode::FullAuto, "`kimi -p`, which asks nothing."),
        (Mode::Yolo, "The same as `full-auto`."),
        (
            Mode::AutoEdit,
            "`kimi acp`: files of the workspace may be written; it asks for everything else. Kimi Code only.",
        ),
        (
            Mode::Suggest,
            "`kimi acp` and its mode `plan`: it may read and answers with a plan. Kimi Code only.",
        ),
    ],
    flavor: Some(detect_flavor),
    invoke,
    dialect: |request| {
        if dialect::is_chosen(request) {
            Box::new(Acp::new(request, false))
        } else {
            Box::new(Kimi::code(request))
        }
    },
    ..DEFAULTS
};

/// The same adapter when kimi-cli 1 is installed. Neither program resumes the sessions of the other.
pub static LEGACY: AdapterSpec = AdapterSpec {
    session_key: "kimiCliSessionId",
    // Over ACP it wants a login even if it has a key.
    modes: &[
        (Mode::FullAuto, "`kimi --print`, which asks nothing."),
        (Mode::Yolo, "The same as `full-auto`."),
    ],
    image_data: false,
    login_hint: "Run `kimi` on this machine, as the user of the connector, and type `/login`.",
    flavor: None,
    invoke: invoke_legacy,
    dialect: |request| Box::new(Kimi::legacy(request)),
    ..SPEC
};

fn detect_flavor(about: &ProgramAnswers) -> Result<Flavor, String> {
    if about.version.contains("no longer maintained") {
        return Err(format!("this release of kimi-cli is dead and answers nothing; {}", SPEC.install_hint));
    }
    if about.help.contains("--print") || about.version.starts_with("kimi, version 1") {
        return Ok(Flavor { name: "kimi-cli", spec: &LEGACY });
    }
    Ok(Flavor { name: "Kimi Code", spec: &SPEC })
}

/// The prompt is an argument, because it cannot be passed otherwise; the dialect checks its length.
fn invoke(request: &TurnRequest, _host: &LaunchContext<'_>) -> Invocation {
    let env_defaults = vec![variable("KIMI_DISABLE_TELEMETRY", "1")];
    if dialect::is_chosen(request) {
        return Invocation { args: vec!["acp".into()], env_defaults, ..Invocation::default() };
    }
    let mut args: Vec<OsString> = vec!["--output-format=stream-json".into()];
    args.extend(request.model_flag());
    args.extend(request.resumable(stream_json::is_session).map(|session| flag_value("--session=", session)));
    args.push(flag_value("--prompt=", request.prompt.replace('\0', "")));
    Invocation { args, env_defaults, ..Invocation::default() }
}

/// `--session` starts the session with that id, or resumes it in the same directory: the connector chooses the id.
fn invoke_legacy(request: &TurnRequest, host: &LaunchContext<'_>) -> Invocation {
    let mut args: Vec<OsString> = ["--print", "--output-format=stream-json"].map(OsString::from).into();
    args.push(flag_value("--work-dir=", &request.workdir));
    args.extend(request.model_flag());
    args.extend(request.effort.as_deref().map(|effort| match effort {
        "off" | "none" => "--no-thinking".into(),
        _ => "--thinking".into(),
    }));
    let session = request.resumable(is_uuid).unwrap_or(host.fresh_id);
    args.push(flag_value("--session=", session));
    let env_defaults =
        vec![variable("KIMI_CLI_NO_AUTO_UPDATE", "1"), variable("KIMI_DISABLE_TELEMETRY", "1")];
    Invocation { args, env_defaults, chosen_session: Some(session.to_owned()), ..Invocation::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::adapter::sample;

    fn args(spec: &AdapterSpec, change: impl FnOnce(&mut TurnRequest)) -> String {
        let mut request = TurnRequest { prompt: "-x".to_owned(), ..sample::request() };
        change(&mut request);
        let invocation = (spec.invoke)(&request, &LaunchContext { fresh_id: "NEW", is_root: true });
        invocation.args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn command_lines() {
        assert_eq!(args(&SPEC, |_| {}), "--output-format=stream-json --prompt=-x");
        assert_eq!(args(&SPEC, |r| r.mode = Mode::Suggest), "acp");
        let id = "01a201fc-49a6-73b2-93a6-9a4fe7056111";
        assert_eq!(
            args(&SPEC, |r| {
                r.model = Some("k2".to_owned());
                r.resume = Some(format!("session_{id}"));
            }),
            format!("--output-format=stream-json --model=k2 --session=session_{id} --prompt=-x")
        );
        assert!(!args(&SPEC, |r| r.resume = Some("--yolo".to_owned())).contains("session"));
        let base = "--print --output-format=stream-json --work-dir=/w";
        assert_eq!(args(&LEGACY, |_| {}), format!("{base} --session=NEW"));
        assert_eq!(
            args(&LEGACY, |r| {
                r.effort = Some("high".to_owned());
                r.resume = Some(id.to_owned());
            }),
            format!("{base} --thinking --session={id}")
        );
    }

    #[test]
    fn the_flavors_are_told_apart() {
        let about =
            |version: &str, help: &str| ProgramAnswers { version: version.to_owned(), help: help.to_owned() };
        let name = |version, help| detect_flavor(&about(version, help)).map(|flavor| flavor.name);
        assert_eq!(
            name("2.1.0\n", "-p, --prompt <prompt>  Run one prompt non-interactively and print"),
            Ok("Kimi Code")
        );
        assert_eq!(name("kimi, version 1.51.0\n", "--print   Run in print mode"), Ok("kimi-cli"));
        assert_eq!(name("kimi, version 1.51.0\n", ""), Ok("kimi-cli"));
        let dead = detect_flavor(&about(
            "kimi-cli is no longer maintained. Please use the new Kimi Code CLI.\n",
            "",
        ));
        assert!(dead.unwrap_err().contains("kimi-code"));
    }
}
