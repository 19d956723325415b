//! Changes variables of an env file and leaves all other lines unchanged. Pure.

use super::dotenv;

/// The first line of a new profile.
const HEAD: &str =
    "# A wtt-connect profile; wtt-connect(5) lists all settings. It holds a token: only you may read it.\n";

/// The text with these variables set. Existing ones are replaced in place; new ones are added at the end. The error
/// names the variable and what is wrong with its value.
pub fn set(text: &str, changes: &[(&str, &str)]) -> Result<String, String> {
    let (entries, _) = dotenv::parse(text);
    let mut lines: Vec<Option<String>> = text.lines().map(|line| Some(line.to_owned())).collect();
    let mut added = String::new();
    for (name, value) in changes {
        let assignment = format!("{name}={}", quote(value).map_err(|why| format!("{name} {why}"))?);
        let mut places = entries.iter().filter(|e| e.name == *name);
        match places.next() {
            None => added.push_str(&format!("{assignment}\n")),
            Some(first) => {
                lines[first.line - 1..first.end].fill(None);
                lines[first.line - 1] = Some(assignment);
            }
        }
        // the last of several lines would take precedence
        places.for_each(|again| lines[again.line - 1..again.end].fill(None));
    }
    let mut out = if text.is_empty() { HEAD.to_owned() } else { String::new() };
    for line in lines.into_iter().flatten() {
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out + &added)
}

/// Quotes a value: in single quotes, in which every program takes each character literally. Only a value that they
/// cannot contain gets double quotes.
fn quote(value: &str) -> Result<String, &'static str> {
    if value.chars().any(char::is_control) {
        return Err("has a control character or a line break");
    }
    if !breaks_quotes(value) {
        return Ok(format!("'{value}'"));
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(out + "\"")
}

/// Whether single quotes cannot contain a value: some programs treat a backslash before the closing one as an escape.
pub fn breaks_quotes(value: &str) -> bool {
    value.contains('\'') || value.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let (entries, bad) = dotenv::parse(text);
        assert_eq!(bad, [], "{text}");
        entries.into_iter().map(|e| (e.name, e.value)).collect()
    }

    #[test]
    fn only_what_is_named_changes() {
        let old = "# mine\nexport A = 1 # one\n\nB='two\nlines'\nC=3\nA=4\nnonsense\n";
        let new = set(old, &[("A", "x y"), ("B", "b"), ("D", "d")]).unwrap();
        assert_eq!(new, "# mine\nA='x y'\n\nB='b'\nC=3\nnonsense\nD='d'\n");
        assert_eq!(set(&new, &[("A", "x y"), ("B", "b"), ("D", "d")]).unwrap(), new);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let ascii: String = (' '..='~').collect();
        for value in [
            "",
            "wtt-tok-$abc1",
            "$ab_c",
            "a b",
            "#x",
            "a#b",
            "it's",
            "\\",
            "a\\",
            "'\\'",
            "\"$x\\n\"",
            &ascii,
            "中文 🙂",
        ] {
            let text = set("", &[("T", value), ("U", "after")]).unwrap();
            assert!(text.starts_with(HEAD));
            assert_eq!(read(&text), [("T".into(), value.into()), ("U".into(), "after".into())], "{text}");
        }
        assert_eq!(set("", &[("T", "a\nb")]).unwrap_err(), "T has a control character or a line break");
    }
}
