//! Writing man(7) source: escaping, filled lines, sections. Knows nothing of what the pages say.

use crate::cli::output;

/// mandoc asks for input lines of at most 80 bytes.
const COLUMNS: usize = 78;

/// A page under construction.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Title line. The date is that of the last change to the texts, so that pages render the same everywhere.
    pub fn new(name: &str, section: u8, date: &str, volume: &str) -> Page {
        let version = env!("CARGO_PKG_VERSION");
        let title = name.to_ascii_uppercase();
        Page(format!(".TH {title} {section} {date} \"wtt-connect {version}\" \"{volume}\"\n"))
    }

    /// `.SH`
    pub fn section(&mut self, title: &str) {
        self.0.push_str(&format!(".SH {}\n", quoted(title)));
    }

    /// A paragraph; `code` between backticks becomes bold.
    pub fn paragraph(&mut self, text: &str) {
        if !self.0.ends_with('\n') || self.last_line_is_text() {
            self.0.push_str(".PP\n");
        }
        self.text(text);
    }

    /// A tagged entry: the tag in bold with its value in italics, then the text.
    pub fn entry(&mut self, tag: &str, value: &str, text: &str) {
        let value = if value.is_empty() { String::new() } else { format!(" \\fI{}\\fR", escape(value)) };
        self.0.push_str(&format!(".TP\n\\fB{}\\fR{value}\n", escape(tag)));
        self.text(text);
    }

    /// A further paragraph of an entry.
    pub fn more(&mut self, text: &str) {
        self.0.push_str(".IP\n");
        self.text(text);
    }

    /// Lines that are not filled.
    pub fn example(&mut self, lines: &str) {
        self.0.push_str(".PP\n.nf\n.RS 4\n");
        for line in lines.lines() {
            self.0.push_str(&guarded(&escape(line)));
            self.0.push('\n');
        }
        self.0.push_str(".RE\n.fi\n");
    }

    /// A line of a synopsis: command, then the rest.
    pub fn synopsis(&mut self, command: &str, rest: &str) {
        if self.last_line_is_text() {
            self.0.push_str(".br\n");
        }
        self.0.push_str(&format!("\\fB{}\\fR\n", escape(command)));
        self.0.push_str(&output::wrap(&escape(rest), COLUMNS, 0));
    }

    /// The source.
    pub fn finish(self) -> String {
        self.0
    }

    fn text(&mut self, text: &str) {
        for line in output::wrap(&bold_code(text), COLUMNS, 0).lines() {
            self.0.push_str(&guarded(line));
            self.0.push('\n');
        }
    }

    fn last_line_is_text(&self) -> bool {
        self.0
            .lines()
            .last()
            .is_some_and(|l| !l.starts_with('.') || l.starts_with(".RE") || l.starts_with(".fi"))
    }
}

/// Makes text safe inside a line. Hyphens are typed on keyboards: they must stay minus signs to be copied.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
}

/// A control character at the start of a line must not be taken for a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}

/// Renders what stands between backticks in bold.
fn bold_code(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in text.split('`').enumerate() {
        match (i % 2, part) {
            (_, "") => {}
            (1, code) => out.push_str(&format!("\\fB{}\\fR", escape(code))),
            (_, plain) => out.push_str(&escape(plain)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut page = Page::new("x", 1, "2026-01-01", "V");
        page.section("A B");
        page.paragraph(".dot `--flag` a\\b 'q' ~/x");
        page.paragraph("two");
        let source = page.finish();
        assert!(
            source.contains(".SH \"A B\"\n\\&.dot \\fB\\-\\-flag\\fR a\\eb \\(aqq\\(aq \\(ti/x\n.PP\ntwo\n"),
            "{source}"
        );
    }
}
