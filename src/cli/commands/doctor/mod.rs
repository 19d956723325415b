//! `doctor`: shows the settings and where they come from, and checks this machine and the service.
//!
//! Gathers [`Finding`]s and prints them as text or JSON. Nothing is changed on disk, and no secret is shown.

pub(super) mod agents;
mod finding;
pub(super) mod format;
pub(super) mod machine;
mod rehearse;
pub(super) mod service;

pub(super) use finding::{Finding, Severity, finding};

use super::selection;
use crate::agent::adapters;
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::config::keys;
use crate::config::source::Setting;
use crate::config::{Config, Settings, value};
use crate::error::Result;
use serde_json::json;
use std::process::ExitCode;

/// Runs all checks and prints the findings. Returns 0 if `start` would run and its agent could answer, else 1.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let selection = selection(args);
    let mut settings = Settings::read(&selection);
    let config = Config::draft(&selection, &mut settings);
    let is_valid = settings.problems.is_empty();
    let mut secrets: Vec<String> = config.secrets();
    secrets.extend(
        keys::all().filter(|k| k.secret).filter_map(|k| settings.get(k.name)).map(|s| s.text.clone()),
    );
    secrets.iter().for_each(|s| crate::sys::log::add_secret(s));

    if args.rehearse {
        return rehearsal(args, &config);
    }
    if let Some(word) = args.operand(0) {
        let findings = agents::requested(&config, rehearse::select(&config, Some(&word))?);
        let colors = output::use_color();
        let text: String = findings.iter().map(|f| format::line(f, colors)).collect();
        return finish(args, &findings, &text);
    }
    let mut findings: Vec<Finding> = Vec::new();
    for problem in &settings.problems {
        findings.push(finding("Settings", "", Severity::Problem, problem.0.clone()));
    }
    for note in &settings.notes {
        findings.push(finding("Settings", "", Severity::Note, note.clone()));
    }
    if !settings.unknown.is_empty() {
        let names: Vec<&str> = settings.unknown.iter().map(String::as_str).collect();
        let text = format!("unknown to this version and ignored: {}", names.join(", "));
        findings.push(finding("Settings", "", Severity::Note, text));
    }
    if is_valid {
        machine::directories(&config, &mut findings);
        findings.push(machine::connector(&config));
    }
    findings.extend(agents::agents(&config, adapters_are_certain(&settings)));
    if is_valid || is_certain(&settings, "WTT_BASE_URL") {
        findings.extend(service::check(&config, args.offline));
    }
    let rows: Vec<format::SettingRow> =
        keys::all().map(|key| format::row(key, &settings, is_valid.then_some(&config))).collect();
    let is_healthy = is_healthy(&findings);
    let text = if args.json {
        format::as_json(&rows, &findings, &settings, &selection.profile, is_healthy)
    } else {
        let options = format::TextOptions {
            all: args.verbose,
            terminal: output::is_terminal(),
            colors: output::use_color(),
        };
        format::as_text(&rows, &findings, &settings, &selection.profile, options)
    };
    output::print_and_continue(&text)?;
    Ok(code(is_healthy))
}

fn code(is_healthy: bool) -> ExitCode {
    if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_healthy(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Problem)
}

/// Runs the rehearsal only. Returns 0 if every turn succeeded.
fn rehearsal(args: &CommandArgs, config: &Config) -> Result<ExitCode> {
    let specs = rehearse::select(config, args.operand(0).as_deref())?;
    let colors = output::use_color();
    let mut findings: Vec<Finding> = Vec::new();
    let mut written = Ok(());
    rehearse::run(config, &specs, &mut |finding| {
        if !args.json && written.is_ok() {
            written = output::print_and_continue(&format::line(&finding, colors));
        }
        findings.push(finding);
    })?;
    written?;
    finish(args, &findings, "")
}

/// Prints the findings as JSON if that was requested, or else the text, and returns the exit code.
fn finish(args: &CommandArgs, findings: &[Finding], text: &str) -> Result<ExitCode> {
    let is_healthy = is_healthy(findings);
    if args.json {
        let all = json!({ "ok": is_healthy, "findings": format::findings_json(findings) });
        output::print_and_continue(&format!("{all:#}\n"))?;
    } else {
        output::print_and_continue(text)?;
    }
    Ok(code(is_healthy))
}

/// Whether the value of a setting is certain: it is valid, or it is unset and all files could be read.
fn is_certain(settings: &Settings, name: &str) -> bool {
    match (settings.get(name), keys::find(name)) {
        (Some(set), Some(key)) => key.kind.check(&set.text).is_ok(),
        _ => !settings.incomplete,
    }
}

/// Whether the default adapter and the enabled ones come from the settings, and do not replace wrong values.
fn adapters_are_certain(settings: &Settings) -> bool {
    let named = |set: &Setting| value::adapter(&set.text).is_ok_and(|name| adapters::find(&name).is_some());
    ["WTT_CONNECT_ADAPTER", "WTT_CONNECT_ADAPTERS"].into_iter().all(|name| is_certain(settings, name))
        && settings.get("WTT_CONNECT_ADAPTER").is_none_or(named)
}
