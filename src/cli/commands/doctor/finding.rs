//! What a check of `doctor` found out, and how serious it is.

use crate::cli::output::Color;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No problem.
    Ok,
    /// Worth knowing; the connector works.
    Note,
    /// `start` would fail, or nobody would get an answer.
    Problem,
}

impl Severity {
    /// The word for it. A contract: `--json` prints it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Problem => "problem",
        }
    }
    /// The color for it.
    pub fn color(self) -> Color {
        match self {
            Severity::Ok => Color::Green,
            Severity::Note => Color::Yellow,
            Severity::Problem => Color::Red,
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The heading for it.
    pub area: &'static str,
    /// What was checked.
    pub name: String,
    /// How serious it is.
    pub severity: Severity,
    /// One phrase; for a problem also what to do about it.
    pub text: String,
}

/// Creates a finding.
pub fn finding(area: &'static str, name: &str, severity: Severity, text: String) -> Finding {
    Finding { area, name: name.to_owned(), severity, text }
}
