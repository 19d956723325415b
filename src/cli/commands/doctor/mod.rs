//! `doctor`: what is set and from where, and whether this machine and the service are ready.
//!
//! Gathers [`Finding`]s, then renders them as text or JSON. Nothing is changed on disk, and no secret is shown.

pub(super) mod agents;
pub(super) mod format;
pub(super) mod machine;
mod rehearse;
pub(super) mod service;

use super::selection;
use crate::agent::adapters;
use crate::cli::output::{self, Color};
use crate::cli::table::CommandArgs;
use crate::config::keys;
use crate::config::source::Setting;
use crate::config::{Config, Settings, value};
use crate::error::{Error, Result};
use serde_json::json;
use std::process::ExitCode;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well.
    Ok,
    /// Worth knowing; the connector works.
    Note,
    /// `start` would fail, or could not answer.
    Problem,
}

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Problem => "problem",
        }
    }
    /// Its color.
    pub fn color(self) -> Color {
        match self {
            Severity::Ok => Color::Green,
            Severity::Note => Color::Yellow,
            Severity::Problem => Color::Red,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Heading it stands under.
    pub area: &'static str,
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub severity: Severity,
    /// One phrase; for a problem also what to do.
    pub text: String,
}

/// Looks at everything and prints it. 0 when `start` would run and its agent could answer, else 1.
pub fn run(args: &CommandArgs) -> Result<ExitCode> {
    let selection = selection(args);
    let mut settings = Settings::read(&selection);
    let config = Config::draft(&selection, &mut settings);
    let complete = settings.problems.is_empty();
    let mut secrets: Vec<String> = config.secrets();
    secrets.extend(
        keys::all().filter(|k| k.secret).filter_map(|k| settings.get(k.name)).map(|s| s.text.clone()),
    );
    secrets.iter().for_each(|s| crate::sys::log::add_secret(s));

    if args.rehearse {
        return rehearsal(args, &config);
    }
    if let Some(word) = args.operands.first() {
        let specs = rehearse::chosen(&config, Some(&word.to_string_lossy()))?;
        let findings = agents::alone(&config, specs);
        let colors = output::use_color();
        let text: String = findings.iter().map(|f| format::line(f, colors)).collect();
        return conclude(args, &findings, if args.json { Ok(()) } else { printed(&text) });
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
        let text = format!("not known to this version and passed over: {}", names.join(", "));
        findings.push(finding("Settings", "", Severity::Note, text));
    }
    if complete {
        machine::directories(&config, &mut findings);
        findings.push(machine::connector(&config));
    }
    findings.extend(agents::agents(&config, adapters_are_known(&settings)));
    if complete || is_known(&settings, "WTT_BASE_URL") {
        findings.extend(service::look(&config, args.offline));
    }
    let rows: Vec<format::SettingRow> =
        keys::all().map(|key| format::row(key, &settings, complete.then_some(&config))).collect();
    let healthy = findings.iter().all(|f| f.severity != Severity::Problem);
    let text = if args.json {
        format::as_json(&rows, &findings, &settings, &selection.profile, healthy)
    } else {
        let options = format::TextOptions {
            all: args.verbose,
            terminal: output::is_terminal(),
            colors: output::use_color(),
        };
        format::as_text(&rows, &findings, &settings, &selection.profile, options)
    };
    match output::write_stdout(&crate::sys::log::redact(&text)) {
        // A reader that has gone does not change what was found: the code is the same each time.
        Ok(()) | Err(Error::Silent(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Only the rehearsal, whatever else is missing: 0 when every turn went well.
fn rehearsal(args: &CommandArgs, config: &Config) -> Result<ExitCode> {
    let asked = args.operands.first().map(|word| word.to_string_lossy());
    let specs = rehearse::chosen(config, asked.as_deref())?;
    let colors = output::use_color();
    let mut findings: Vec<Finding> = Vec::new();
    let mut written = Ok(());
    rehearse::run(config, &specs, &mut |finding| {
        if !args.json && written.is_ok() {
            written = printed(&format::line(&finding, colors));
        }
        findings.push(finding);
    })?;
    conclude(args, &findings, written)
}

fn printed(text: &str) -> Result<()> {
    output::write_stdout(&crate::sys::log::redact(text))
}

/// The findings as JSON where that is asked for, and the exit code. `written`: how the lines were printed.
fn conclude(args: &CommandArgs, findings: &[Finding], mut written: Result<()>) -> Result<ExitCode> {
    let healthy = findings.iter().all(|f| f.severity != Severity::Problem);
    if args.json {
        let all = json!({ "ok": healthy, "findings": format::findings_json(findings) });
        written = printed(&format!("{all:#}\n"));
    }
    match written {
        Ok(()) | Err(Error::Silent(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the value of a key is beyond doubt: set and accepted, or not set in any file that could not be read.
fn is_known(settings: &Settings, name: &str) -> bool {
    match (settings.get(name), keys::find(name)) {
        (Some(set), Some(key)) => key.kind.check(&set.text).is_ok(),
        _ => !settings.incomplete,
    }
}

/// Whether the default adapter and the enabled ones are what the settings say, and not what stands in for them.
fn adapters_are_known(settings: &Settings) -> bool {
    let named = |set: &Setting| value::adapter(&set.text).is_ok_and(|name| adapters::find(&name).is_some());
    ["WTT_CONNECT_ADAPTER", "WTT_CONNECT_ADAPTERS"].into_iter().all(|name| is_known(settings, name))
        && settings.get("WTT_CONNECT_ADAPTER").is_none_or(named)
}

/// Makes one.
pub(super) fn finding(area: &'static str, name: &str, severity: Severity, text: String) -> Finding {
    Finding { area, name: name.to_owned(), severity, text }
}
