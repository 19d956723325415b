//! Env files: `KEY=value` lines as every dotenv program reads them, with the line of each value.
//!
//! dotenvy decodes one entry at a time. It never gets a bare `$`, which it would replace by a variable, so that a token
//! would be changed. Its errors are never passed on, because they contain the line. The environment is not changed.

/// A variable with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvLine {
    /// Variable name.
    pub name: String,
    /// Decoded value.
    pub value: String,
    /// Line on which it begins, from 1.
    pub line: usize,
    /// Line on which it ends: a quoted value may have several.
    pub end: usize,
}

/// A line that cannot be read. It contains no text of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Line number from 1.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// Reads a whole file: all good entries in order, and all bad lines.
pub fn parse(text: &str) -> (Vec<EnvLine>, Vec<Malformed>) {
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    // editors on Windows write a byte order mark at the start, which would become part of the first name
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, rest)) = line.split_once('=') else {
            bad.push(Malformed { line: number, why: "is not of the form KEY=value" });
            continue;
        };
        let (name, rest) = (name.trim_end(), rest.trim_start());
        if !is_name(name) {
            bad.push(Malformed { line: number, why: "does not begin with the name of a variable" });
            continue;
        }
        let mut end = number;
        let mut more = || {
            let (index, line) = lines.next()?;
            end = index + 1;
            Some(line)
        };
        match value(rest, &mut more) {
            Ok(value) => entries.push(EnvLine { name: name.to_owned(), value, line: number, end }),
            Err(why) => bad.push(Malformed { line: number, why }),
        }
    }
    (entries, bad)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Decodes the text after the `=`; a quoted value may have several lines.
fn value<'a>(rest: &str, more: &mut dyn FnMut() -> Option<&'a str>) -> Result<String, &'static str> {
    let Some(quote @ ('"' | '\'' | '`')) = rest.chars().next() else {
        let end = comment(rest).unwrap_or(rest.len());
        return Ok(rest[..end].trim_end().to_owned());
    };
    let mut body = rest[1..].to_owned();
    let end = loop {
        match closing(&body, quote) {
            Some(end) => break end,
            None => {
                body.push('\n');
                body.push_str(more().ok_or("opens a quote that is never closed")?);
            }
        }
    };
    let after = body[end + 1..].trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return Err("has text behind the closing quote");
    }
    if quote == '"' { unescape(&body[..end]) } else { Ok(body[..end].to_owned()) }
}

/// The start of a comment in an unquoted value: a `#` at its start or after a blank.
fn comment(rest: &str) -> Option<usize> {
    let mut blank = true;
    rest.char_indices().find_map(|(at, c)| {
        let hit = (c == '#' && blank).then_some(at);
        blank = c.is_whitespace();
        hit
    })
}

/// The place of the closing quote. Only double quotes support escapes.
fn closing(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    body.char_indices().find_map(|(at, c)| {
        let hit = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        hit.then_some(at)
    })
}

/// Lets dotenvy decode the inside of double quotes, with every bare `$` escaped.
fn unescape(body: &str) -> Result<String, &'static str> {
    const WHY: &str =
        "has an unknown escape in double quotes; use single quotes to take every character as it is";
    let mut safe = String::from("V=\"");
    let mut escaped = false;
    for c in body.chars() {
        if c == '$' && !escaped {
            safe.push('\\');
        }
        escaped = c == '\\' && !escaped;
        safe.push(c);
    }
    safe.push_str("\"\n");
    match dotenvy::from_read_iter(safe.as_bytes()).next() {
        Some(Ok((_, value))) => Ok(value),
        Some(Err(_)) | None => Err(WHY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str, usize)]) {
        let (entries, bad) = parse(text);
        assert_eq!(bad, [], "{text:?}");
        let got: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.value.as_str(), e.line)).collect();
        assert_eq!(got, expect, "{text:?}");
    }

    #[test]
    fn values_keep_every_character() {
        check("A=1\n\n# c\nB=2\n", &[("A", "1", 1), ("B", "2", 4)]);
        check("\u{feff}A=x\r\nB=y\r\n", &[("A", "x", 1), ("B", "y", 2)]);
        check("export A = x y  # why", &[("A", "x y", 1)]);
        check("T=wtt-tok-$abc1\\x", &[("T", "wtt-tok-$abc1\\x", 1)]);
        check("T=a#b", &[("T", "a#b", 1)]);
        check("T=\nU=#c", &[("T", "", 1), ("U", "", 2)]);
        check("T='$a \\'\nU=it's", &[("T", "$a \\", 1), ("U", "it's", 2)]);
        check(r#"T="a $b \$c \"d\" \n" # e"#, &[("T", "a $b $c \"d\" \n", 1)]);
        check("T=\"two\nlines\"\nU=1", &[("T", "two\nlines", 1), ("U", "1", 3)]);
        check("T=`a'\"b`", &[("T", "a'\"b", 1)]);
        check("A=中文 🙂", &[("A", "中文 🙂", 1)]);
        check(r#"J='["use","{adapter}"]'"#, &[("J", r#"["use","{adapter}"]"#, 1)]);
    }

    #[test]
    fn bad_lines_are_named_without_their_text() {
        for text in
            ["CANARY", "=CANARY", "1A=CANARY", "A B=CANARY", "A='CANARY", "A=\"\\CANARY\"", "A='CANARY' b"]
        {
            let (entries, bad) = parse(&format!("X=1\n{text}"));
            assert_eq!((entries.len(), bad.len()), (1, 1), "{text}");
            assert_eq!(bad[0].line, 2, "{text}");
            assert!(!format!("{bad:?}").contains("CANARY"), "{bad:?}");
        }
    }
}
