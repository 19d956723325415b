//! Writes man(7) source: escaping, filled lines, sections. It knows nothing about the content of the pages.

use wtt_connect::cli::output;

/// The longest line of source. mandoc warns about lines of more than 80 bytes.
const COLUMNS: usize = 78;

/// The source of a page while it is written.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Begins a page with its title line. The date is that of the last change to the texts, so that pages render the same
    /// everywhere.
    pub fn new(name: &str, section: u8, date: &str, volume: &str) -> Page {
        let version = env!("CARGO_PKG_VERSION");
        let title = name.to_ascii_uppercase();
        Page(format!(".TH {title} {section} {date} \"wtt-connect {version}\" \"{volume}\"\n"))
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.0.push_str(&format!(".SH {}\n", quoted(title)));
    }

    /// Adds a paragraph; `code` between backticks becomes bold.
    pub fn paragraph(&mut self, text: &str) {
        if !self.0.ends_with('\n') || self.last_line_is_text() {
            self.0.push_str(".PP\n");
        }
        self.text(text);
    }

    /// Adds a tagged entry: the tag in bold with its value in italics, then the text.
    pub fn entry(&mut self, tag: &str, value: &str, text: &str) {
        let value = if value.is_empty() { String::new() } else { format!(" \\fI{}\\fR", escape(value)) };
        self.0.push_str(&format!(".TP\n\\fB{}\\fR{value}\n", escape(tag)));
        self.text(text);
    }

    /// Adds a further paragraph to an entry.
    pub fn more(&mut self, text: &str) {
        self.0.push_str(".IP\n");
        self.text(text);
    }

    /// Adds lines that are not filled.
    pub fn example(&mut self, lines: &str) {
        self.0.push_str(".PP\n.nf\n.RS 4\n");
        for line in lines.lines() {
            self.0.push_str(&guarded(&escape(line)));
            self.0.push('\n');
        }
        self.0.push_str(".RE\n.fi\n");
    }

    /// Adds a line to the synopsis: the program in bold, then the rest.
    pub fn synopsis(&mut self, command: &str, rest: &str) {
        if self.last_line_is_text() {
            self.0.push_str(".br\n");
        }
        self.0.push_str(&format!("\\fB{}\\fR\n", escape(command)));
        self.0.push_str(&output::wrap(&escape(rest), COLUMNS, 0));
    }

    /// Returns the source.
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

/// Escapes text inside a line. Hyphens become minus signs, so that commands can be copied from the page.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
}

/// Protects a line that begins with a control character, which would be a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}

/// Escapes text and sets code between backticks in bold.
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
