//! Formats the findings of `doctor` as text or JSON. Pure.

use super::{Finding, Severity};
use crate::cli::output::{self, Color};
use crate::config::keys::SettingSpec;
use crate::config::kind::SettingKind;
use crate::config::source::Source;
use crate::config::{Config, Settings};
use serde_json::{Value, json};
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// A setting for display.
#[derive(Debug)]
pub struct SettingRow {
    /// The name of the variable.
    pub name: &'static str,
    /// The value, masked if it is secret; none if it is unset and there is no default.
    pub value: Option<String>,
    /// The value, or a description of the default.
    pub shown: String,
    /// Where it comes from.
    pub source: String,
    /// The source without folders, for terminals.
    pub short_source: String,
    /// Whether it is not the default.
    pub is_set: bool,
}

/// Options for the text.
#[derive(Debug, Clone, Copy)]
pub struct TextOptions {
    /// Whether to list defaults, too.
    pub all: bool,
    /// Whether lines must fit a terminal.
    pub terminal: bool,
    /// Whether to use colors.
    pub colors: bool,
}

/// The longest line of the table on a terminal.
const COLUMNS: usize = 100;

/// The value and source of a setting. Of a secret only the length is shown, which reveals a token that was cut off.
pub fn row(key: &'static SettingSpec, settings: &Settings, config: Option<&Config>) -> SettingRow {
    if let Some(set) = settings.get(key.name) {
        let value = match key.secret {
            true => format!("*** ({} characters)", set.text.chars().count()),
            false => crate::text::one_line(&set.text),
        };
        let short_source = match &set.source {
            Source::File { path, line } => format!("{}:{line}", file_name(path)),
            Source::Json { path } => file_name(path),
            other => other.to_string(),
        };
        let (shown, source) = (value.clone(), set.source.to_string());
        return SettingRow { name: key.name, value: Some(value), shown, source, short_source, is_set: true };
    }
    let is_foreign = key.name == "WTT_CONNECT_CA_FILE" && config.is_some_and(|c| c.ca_file.is_some());
    let source = if is_foreign {
        "SSL_CERT_FILE or NODE_EXTRA_CA_CERTS".to_owned()
    } else {
        Source::Default.to_string()
    };
    let value = effective(key.name, config).or_else(|| is_value(key.kind).then(|| key.default.to_owned()));
    let shown = value.clone().unwrap_or_else(|| key.default.to_owned());
    SettingRow { name: key.name, value, shown, short_source: source.clone(), source, is_set: is_foreign }
}

/// Whether the default of this kind is a value; other kinds have a description instead.
fn is_value(kind: SettingKind) -> bool {
    use SettingKind::{BaseUrl, Flag, Minutes, Mode, Number, Seconds};
    matches!(kind, BaseUrl | Mode | Flag | Seconds { .. } | Minutes { .. } | Number { .. })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The value that a default has for this identity.
fn effective(name: &str, config: Option<&Config>) -> Option<String> {
    let config = config?;
    let path = |p: &Path| Some(p.display().to_string());
    match name {
        "WTT_CONNECT_ADAPTER" => Some(config.adapter.clone()),
        "WTT_CONNECT_ADAPTERS" => Some(config.adapters.join(",")),
        "WTT_CONNECT_WORKDIR" => path(&config.workdir),
        "WTT_CONNECT_STATE_DIR" => path(&config.state_dir),
        "WTT_CONNECT_STORE_FILE" => path(&config.store_file),
        "WTT_CONNECT_INBOX_DIR" => path(&config.inbox_dir),
        "WTT_CONNECT_ARTIFACT_DIR" => path(&config.artifact_dir),
        "WTT_CONNECT_CA_FILE" => config.ca_file.as_deref().and_then(path),
        "WTT_CONNECT_LOG" => Some(config.log.clone()),
        _ => None,
    }
}

/// The order of the headings. Problems of settings come last, next to the summary.
const AREAS: &[&str] = &["Directories", "Connector", "Agents", "Service", "Settings"];

/// The findings as text.
pub fn as_text(
    rows: &[SettingRow],
    findings: &[Finding],
    settings: &Settings,
    profile: &Option<String>,
    options: TextOptions,
) -> String {
    let colors = options.colors;
    let bold = |text: &str| output::paint(text, Color::Bold, colors);
    let mut text = String::new();
    if let Some(name) = profile {
        text.push_str(&format!("{} {name}\n", bold("Profile")));
    }
    for file in &settings.files {
        text.push_str(&format!("{} {}\n", bold("File   "), file.display()));
    }
    let listed = || rows.iter().filter(|r| r.is_set || options.all);
    let source = |r: &SettingRow| if options.terminal { r.short_source.clone() } else { r.source.clone() };
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or_default();
    let beside =
        widest(&mut listed().map(|r| r.name.len())) + widest(&mut listed().map(|r| source(r).width()));
    // two blanks before each of the three columns.
    let room = if options.terminal { COLUMNS.saturating_sub(beside + 6).max(20) } else { usize::MAX };
    let table: Vec<[String; 3]> =
        listed().map(|r| [r.name.to_owned(), crate::text::truncate(&r.shown, room), source(r)]).collect();
    let more = match (options.all, table.is_empty()) {
        (true, _) => "",
        (false, true) => " all have their default values (--verbose lists them)",
        (false, false) => " (--verbose lists the defaults, too)",
    };
    text.push_str(&format!("{}{more}\n", bold("Values")));
    text.push_str(&output::align_columns(&table, 2));
    for area in AREAS {
        let of_area: Vec<&Finding> = findings.iter().filter(|f| f.area == *area).collect();
        if of_area.is_empty() {
            continue;
        }
        text.push_str(&format!("{}\n", bold(area)));
        of_area.into_iter().for_each(|f| text.push_str(&line(f, colors)));
    }
    text.push_str(&summary(findings));
    text
}

/// One finding as a line of text.
pub fn line(f: &Finding, colors: bool) -> String {
    let word = output::paint(&format!("{:<7}", f.severity.word()), f.severity.color(), colors);
    let name = if f.name.is_empty() { String::new() } else { format!("{}: ", f.name) };
    format!("  {word}  {name}{}\n", f.text)
}

/// The findings as JSON. A contract: the field names are documented in wtt-connect(1).
pub fn findings_json(findings: &[Finding]) -> Vec<Value> {
    findings
        .iter()
        .map(|f| json!({"area": f.area.to_lowercase(), "name": f.name, "verdict": f.severity.word(), "text": f.text}))
        .collect()
}

/// The last line: the result, and what to do next.
fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    match (count(Severity::Problem), count(Severity::Note)) {
        (0, 0) => "No problems found.\n".into(),
        (0, 1) => "Ready to start; there is 1 note above.\n".into(),
        (0, n) => format!("Ready to start; there are {n} notes above.\n"),
        (1, _) => "1 problem above needs to be fixed first.\n".into(),
        (n, _) => format!("{n} problems above need to be fixed first.\n"),
    }
}

/// All results as JSON. A contract: the field names are documented in wtt-connect(1).
pub fn as_json(
    rows: &[SettingRow],
    findings: &[Finding],
    settings: &Settings,
    profile: &Option<String>,
    is_healthy: bool,
) -> String {
    let rows: Vec<_> =
        rows.iter().map(|r| json!({"name": r.name, "value": r.value, "source": r.source})).collect();
    let findings = findings_json(findings);
    let files: Vec<String> = settings.files.iter().map(|f| f.display().to_string()).collect();
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"), "ok": is_healthy, "profile": profile,
        "files": files, "settings": rows, "findings": findings,
    });
    format!("{all:#}\n")
}
