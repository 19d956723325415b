//! The logger: redacted lines on stderr or in log files.
//!
//! A line is `<time> LEVEL target: text`; under systemd `<priority>target: text`, because the journal adds the time itself. The
//! level of libraries that log addresses or payloads is capped, whatever the filter says.

use super::log_file::LogFile;
use base64::Engine as _;
use log::{Level, LevelFilter, Log, Metadata, Record};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::RwLock;

/// Libraries whose debug and trace lines contain addresses with tokens, headers, whole payloads or typed keys.
const CAPPED_LIBRARIES: &[&str] = &["tungstenite", "rustls", "ureq", "ureq_proto", "rustyline"];
/// Shorter secrets are not redacted: that would replace ordinary words. Real secrets are far longer.
pub const MIN_SECRET_LEN: usize = 4;

/// What is percent-encoded in a query: everything but unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Known secrets in all their encodings, longest first.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Starts logging to `file`, or to stderr without one. `filter` is the value of `WTT_CONNECT_LOG`; `secrets` are replaced by `***`
/// wherever they appear. A second call only adds its secrets.
pub fn init(filter: &str, secrets: Vec<String>, file: Option<LogFile>) {
    for secret in secrets {
        add_secret(&secret);
    }
    let journal = file.is_none() && stderr_is_journal();
    let stderr = env_logger::Target::Stderr;
    let logger = env_logger::Builder::new()
        .parse_filters(filter)
        .target(file.map_or(stderr, |file| env_logger::Target::Pipe(Box::new(file))))
        .format(move |out, record| writeln!(out, "{}", line(record, journal)))
        .build();
    let max = logger.filter();
    if log::set_boxed_logger(Box::new(CappedLogger(logger))).is_ok() {
        log::set_max_level(max);
    }
}

/// Redacts another secret from now on, such as a renewed token.
pub fn add_secret(secret: &str) {
    if secret.len() < MIN_SECRET_LEN {
        return;
    }
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let forms = [
        secret.to_owned(),
        utf8_percent_encode(secret, RESERVED).to_string(),
        base64(secret.as_bytes()),
        json,
    ];
    let Ok(mut known) = SECRETS.write() else { return };
    for form in forms {
        if !known.contains(&form) {
            known.push(form);
        }
    }
    known.sort_by_cached_key(|s| std::cmp::Reverse(s.len()));
}

/// Replaces known secrets, and values in the places of tokens (`Bearer …`, `token=…`), by `***`.
pub fn redact(text: &str) -> String {
    let mut out = text.to_owned();
    if let Ok(known) = SECRETS.read() {
        for secret in known.iter().filter(|s| text.contains(s.as_str())) {
            out = out.replace(secret.as_str(), "***");
        }
    }
    for mark in ["bearer ", "token=", "token\":\"", "token\": \""] {
        out = redact_after(&out, mark);
    }
    out
}

/// Replaces what follows each `mark` (in any letter case) up to a delimiter.
fn redact_after(text: &str, mark: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(mark) {
        let value = from + at + mark.len();
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | ',' | ';' | '<' | '>' | ')' | '}');
        let end = lower[value..].find(ends).map_or(text.len(), |n| value + n);
        out.push_str(&text[from..value]);
        if end > value {
            out.push_str("***");
        }
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// Base64 without the last, incomplete group, which depends on the bytes that follow.
fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(&bytes[..bytes.len() - bytes.len() % 3])
}

/// Formats one line. Control characters are escaped, so that text from outside cannot forge lines.
fn line(record: &Record<'_>, journal: bool) -> String {
    let mut text = String::new();
    for c in redact(&record.args().to_string()).chars() {
        if c.is_control() && c != '\t' {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    let target = record.target();
    if journal {
        let priority = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        return format!("<{priority}>{target}: {text}");
    }
    format!(
        "{} {:<5} {target}: {text}",
        crate::sys::time::rfc3339(crate::sys::time::now_ms()),
        record.level()
    )
}

/// Whether stderr is the journal's socket, whose device and inode systemd passes in `JOURNAL_STREAM`. The variable alone proves
/// nothing: a child whose stderr is a pipe inherits it.
fn stderr_is_journal() -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
    named == format!("{}:{}", stderr.dev(), stderr.ino())
}

/// Applies the caps before env_logger.
struct CappedLogger(env_logger::Logger);

impl Log for CappedLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !is_capped(metadata) && self.0.enabled(metadata)
    }
    fn log(&self, record: &Record<'_>) {
        if !is_capped(record.metadata()) {
            self.0.log(record);
        }
    }
    fn flush(&self) {
        self.0.flush();
    }
}

fn is_capped(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    metadata.level() > LevelFilter::Info && CAPPED_LIBRARIES.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(redact(text), expect);
    }

    #[test]
    fn secrets_vanish_in_every_spelling() {
        add_secret("CANARY/\"$1-log-test");
        check("a CANARY/\"$1-log-test b", "a *** b");
        check("t=CANARY%2F%22%241-log-test", "t=***");
        check(r#"{"x":"CANARY/\"$1-log-test"}"#, r#"{"x":"***"}"#);
        let encoded = base64(b"CANARY/\"$1-log-test");
        assert_eq!(encoded, "Q0FOQVJZLyIkMS1sb2ctdGVz");
        check(&format!("x {encoded}dA=="), "x ***dA==");
    }

    #[test]
    fn what_looks_like_a_token_vanishes() {
        check("Authorization: Bearer abc.def, x", "Authorization: Bearer ***, x");
        check("GET /ws?agent_token=abc&x=1", "GET /ws?agent_token=***&x=1");
        check("TOKEN=abc Token=def", "TOKEN=*** Token=***");
        check(r#"{"token":"abc","a":1}"#, r#"{"token":"***","a":1}"#);
        check("token= and bearer ", "token= and bearer ");
        check("中文 token=密 🙂", "中文 token=*** 🙂");
    }

    #[test]
    fn short_words_are_no_secrets() {
        add_secret("a");
        add_secret("");
        check("a cat", "a cat");
    }

    #[test]
    fn lines_cannot_be_forged() {
        let record = Record::builder()
            .args(format_args!("one\n2026 ERROR two\u{1b}[31m"))
            .level(Level::Warn)
            .target("wtt_connect::x")
            .build();
        assert_eq!(line(&record, true), "<4>wtt_connect::x: one\\n2026 ERROR two\\u{1b}[31m");
        assert!(line(&record, false).contains(" WARN  wtt_connect::x: one\\n2026"));
    }

    #[test]
    fn libraries_are_capped() {
        let meta = |target, level| Metadata::builder().target(target).level(level).build();
        assert!(is_capped(&meta("tungstenite::protocol", Level::Trace)));
        assert!(is_capped(&meta("ureq", Level::Debug)));
        assert!(!is_capped(&meta("tungstenite", Level::Info)));
        assert!(!is_capped(&meta("wtt_connect::daemon", Level::Debug)));
    }
}
