//! The house rules that a machine can check: layers, purity, headers, lengths, words, linked crates.
//!
//! Each test collects everything that breaks its rule and prints it in one list.

mod imports;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Layers from the floor up; a module may use those of lower layers and its own. See src/lib.rs.
const LAYERS: &[&[&str]] = &[
    &["sys"],
    &["json", "text", "secret", "error"],
    &["wire", "config", "store", "http"],
    &["host"],
    &["agent"],
    &["session"],
    &["daemon"],
    &["cli", "local"],
];

/// Modules of one layer that may not use each other.
const STRANGERS: &[&str] = &["wire", "config", "store", "http"];

/// Pure files and folders: no clock, no files, no sockets, no processes, no threads.
const PURE: &[&str] = &[
    "src/wire",
    "src/agent/dialect.rs",
    "src/agent/adapters",
    "src/agent/adapter.rs",
    "src/agent/elicitation.rs",
    "src/agent/limit_reset",
    "src/agent/one_shot.rs",
    "src/agent/permission.rs",
    "src/agent/classify.rs",
    "src/agent/outcome.rs",
    "src/agent/model_switcher.rs",
    "src/agent/slash_commands.rs",
    "src/session/prompt.rs",
    "src/session/routing.rs",
    "src/session/model.rs",
    "src/session/chat_command.rs",
    "src/session/permissions/policy.rs",
    "src/session/permissions/pattern.rs",
    "src/session/permissions/shell_parser.rs",
    "src/session/permissions/prompt.rs",
    "src/config/permissions.rs",
    "src/session/messages.rs",
    "src/session/language.rs",
    "src/session/failure_text.rs",
    "src/session/slash_command.rs",
    "src/agent/slash_commands.rs",
    "src/config/value.rs",
    "src/config/kind.rs",
    "src/config/mode.rs",
    "src/config/adapter_names.rs",
    "src/config/address.rs",
    "src/config/model_switch.rs",
    "src/config/keys/mod.rs",
    "src/config/dotenv.rs",
    "src/config/json.rs",
    "src/cli/table/mod.rs",
    "src/cli/parse.rs",
    "src/cli/render",
];

/// What a pure file does not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::io",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "ZonedDateTime::now",
    "TimeZone::system",
    "sys::time",
    "sys::child_process",
    "sys::os",
    "sys::thread",
    "sys::id",
];

/// A file holds one concept and is read in one go; beyond this length it holds more than one.
const MAX_LINES: usize = 600;
/// Tables grow with the program and are read row by row.
const TABLES: &[&str] = &["src/agent/classify.rs", "src/cli/table/mod.rs", "src/config/keys/mod.rs"];
const MAX_TABLE: usize = 800;

/// Licences that any of the linked crates may be used under.
const LICENCES: &[&str] =
    &["MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "Unicode-3.0", "Zlib", "CDLA-Permissive-2.0"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Source {
    /// Relative to the repository.
    path: String,
    text: String,
}

impl Source {
    /// What is compiled into the program: without the tests at the end of the file.
    fn program(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap()
    }
    /// Code without comments, with line numbers from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.program()
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line))
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
    }
    /// `wire` of src/wire/frame.rs; none for lib.rs and main.rs.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let module = rest.split('/').next()?.trim_end_matches(".rs");
        (!["lib", "main"].contains(&module)).then_some(module)
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut out = Vec::new();
    collect(&root().join(folder), &mut out);
    assert!(!out.is_empty());
    out
}

fn collect(dir: &Path, out: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            out.push(Source { path: path.strip_prefix(root()).unwrap().display().to_string(), text });
        }
    }
}

#[track_caller]
fn none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

/// Modules of the crate that a line names: `crate::wire::x`, `crate::{text, wire}`.
fn named(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        // `$crate` and `other_crate::` are something else.
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        let word =
            |s: &str| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => out.push(word(&std::mem::take(&mut item))),
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                out.push(word(&item));
            }
            None => out.push(word(rest)),
        }
    }
    out.retain(|w| !w.is_empty());
    out
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|l| l.contains(&module))
}

#[test]
fn arrows_point_downward() {
    let mut breaches = Vec::new();
    for file in sources("src") {
        let Some(own) = file.module() else { continue };
        let Some(rank) = layer(own) else {
            breaches.push(format!("{}: the module {own} belongs to no layer", file.path));
            continue;
        };
        // A `use` may go over several lines: joined, so that groups are seen whole.
        let code: String = file.code().map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" ");
        for other in named(&code) {
            let Some(target) = layer(&other) else { continue };
            let strange = STRANGERS.contains(&own) && STRANGERS.contains(&other.as_str()) && own != other;
            if target > rank || strange {
                breaches.push(format!("{} uses {other}", file.path));
            }
        }
    }
    none("a module uses only what lies below it", breaches);
}

#[test]
fn the_layer_scan_sees_paths_and_groups() {
    assert_eq!(named("use crate::wire::frame; x(crate::text::one_line)"), ["wire", "text"]);
    assert_eq!(named("use crate::{agent::{a, b}, sys, daemon};"), ["agent", "sys", "daemon"]);
    assert!(named("my_crate::wire $crate::x").is_empty());
    assert_eq!(layer("sys"), Some(0));
    assert!(layer("agent") < layer("session") && layer("daemon") < layer("cli"));
}

#[test]
fn pure_files_do_no_io() {
    let mut breaches = Vec::new();
    let all = sources("src");
    for pure in PURE {
        let mut files =
            all.iter().filter(|f| f.path == *pure || f.path.starts_with(&format!("{pure}/"))).peekable();
        assert!(files.peek().is_some(), "{pure} is not there any more: correct the list");
        for file in files {
            for (line, text) in file.code() {
                for word in IMPURE.iter().filter(|w| text.contains(**w)) {
                    breaches.push(format!("{}:{line} names {word}", file.path));
                }
            }
        }
    }
    none("wire, dialects, policies, tables and renderings do no IO", breaches);
}

#[test]
fn json_is_parsed_in_one_file() {
    let parsers = ["from_str", "from_slice", "from_reader", "Deserializer::"];
    let mut breaches = Vec::new();
    for file in sources("src").iter().filter(|file| file.path != "src/json.rs") {
        for (line, text) in file.code() {
            if parsers.iter().any(|parser| text.contains(&format!("serde_json::{parser}"))) {
                breaches.push(format!("{}:{line} parses JSON without crate::json::parse", file.path));
            }
        }
    }
    none("what others write as JSON goes through one parser", breaches);
}

#[test]
fn files_say_what_they_hold_and_are_short() {
    let mut breaches = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")) {
        if !file.text.starts_with("//! ") {
            breaches.push(format!("{} does not begin with //!", file.path));
        }
        let max = if TABLES.contains(&file.path.as_str()) { MAX_TABLE } else { MAX_LINES };
        let lines = file.text.lines().count();
        if file.path.starts_with("src/") && lines > max {
            breaches.push(format!("{} has {lines} lines, more than {max}", file.path));
        }
    }
    none("each file begins with what it holds, and is short", breaches);
}

#[test]
fn words_that_do_not_belong() {
    // Spelt in two parts, so that this file does not break its own rule.
    let everywhere =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("CON", "TRACT (owner"), concat!("XX", "X")];
    let in_the_program = [
        ".unwrap()",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "println!(",
        "eprintln!(",
        "print!(",
        "eprint!(",
        "process::exit(",
    ];
    let mut breaches = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")) {
        for (i, line) in file.text.lines().enumerate() {
            for word in everywhere.iter().filter(|w| line.contains(**w)) {
                breaches.push(format!("{}:{} {word}", file.path, i + 1));
            }
        }
        if file.path.starts_with("src/") {
            for (line, text) in file.code() {
                for word in in_the_program.iter().filter(|w| text.contains(**w)) {
                    breaches.push(format!("{}:{line} {word}", file.path));
                }
            }
        }
    }
    none("nothing unfinished, no unwrap outside tests, no print macros", breaches);
}

/// Texts that a stranger reads: sources and the documents beside them.
fn texts() -> Vec<Source> {
    let documents =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml", "tests/fixtures/README.md"];
    let mut all: Vec<Source> = sources("src").into_iter().chain(sources("tests")).collect();
    all.extend(documents.map(|path| Source {
        path: path.to_owned(),
        text: std::fs::read_to_string(root().join(path)).unwrap(),
    }));
    all
}

/// The comments of a file as one text, so that a reference may be broken across lines.
fn comments(text: &str) -> String {
    let comment = |line: &str| {
        let rest = line.trim_start().strip_prefix("//")?;
        Some(rest.trim_start_matches(['/', '!']).trim().to_owned())
    };
    text.lines().map(|line| comment(line).unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// The section names in front of each mention of the page: `see TERMINAL and SHELL in …`.
fn cited_sections(comments: &str) -> Vec<String> {
    let mut cited = Vec::new();
    for (at, _) in comments.match_indices(" in wtt-connect-protocol(7)") {
        let is_name = |word: &&str| {
            *word == "and" || word.trim_end_matches(',').chars().all(|c| c.is_ascii_uppercase() || c == '-')
        };
        let mut words: Vec<&str> = comments[..at].split_whitespace().rev().take_while(is_name).collect();
        words.reverse();
        let names = words.join(" ").replace(" and ", ", ");
        cited.extend(names.split(", ").filter(|name| !name.is_empty()).map(str::to_owned));
    }
    cited
}

#[test]
fn references_resolve_inside_the_repository() {
    // Spelled in two parts, so that this file does not break its own rule.
    let elsewhere = [
        concat!("(proto", "col "),
        concat!("(age", "nts "),
        concat!("(ho", "use "),
        concat!("(na", "mes "),
        concat!("(pe", "ers "),
        concat!("(reliab", "ility "),
    ];
    let notes = [
        concat!("design ", "notes"),
        concat!("protocol ", "notes"),
        concat!("reliability ", "table"),
        concat!("house", ".md"),
        concat!("names", ".md"),
        concat!("peers", ".md"),
        concat!("reliability", ".md"),
        concat!("wtt-protocol", ".md"),
        concat!("../sha", "red"),
    ];
    let page = std::fs::read_to_string(root().join("man/wtt-connect-protocol.7")).unwrap();
    let sections: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix(".Sh ")).collect();
    let mut breaches = Vec::new();
    for file in texts() {
        for (i, line) in file.text.lines().enumerate() {
            let numbered = elsewhere.iter().any(|name| {
                line.match_indices(*name)
                    .any(|(at, _)| line[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
            });
            if numbered || notes.iter().any(|name| line.contains(name)) {
                breaches.push(format!("{}:{}: {}", file.path, i + 1, line.trim()));
            }
        }
        let comments = comments(&file.text);
        for section in cited_sections(&comments) {
            if !sections.contains(section.as_str()) {
                breaches.push(format!("{}: no section {section} in wtt-connect-protocol(7)", file.path));
            }
        }
        for (at, _) in comments.match_indices("tests/fixtures/") {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let end = comments[at..].find(|c| !is_part(c)).unwrap_or(comments.len() - at);
            let path = comments[at..at + end].trim_end_matches('.');
            if !root().join(path).exists() {
                breaches.push(format!("{}: {path} is not there", file.path));
            }
        }
    }
    none(
        "comments and documents refer to sections of the manual, fixtures, or other files that are here",
        breaches,
    );
}

/// A name such as `s09_…` numbers a row of a table that is not in the repository.
#[test]
fn names_of_tests_say_the_behavior() {
    let mut breaches = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")) {
        for (i, line) in file.text.lines().enumerate() {
            let name = line.trim_start().strip_prefix("fn ").map(str::as_bytes).unwrap_or_default();
            if matches!(name, [b'a'..=b'z', b'0'..=b'9', b'0'..=b'9', b'_', ..]) {
                breaches.push(format!("{}:{}: {}", file.path, i + 1, line.trim()));
            }
        }
    }
    none("the name of a test says what it checks, not a number", breaches);
}

#[test]
fn cited_sections_are_found_across_words() {
    let text = "x (see TERMINAL, RUNTIME INFORMATION and SHELL in wtt-connect-protocol(7)). It is as in wtt-connect-protocol(7)";
    assert_eq!(cited_sections(text), ["TERMINAL", "RUNTIME INFORMATION", "SHELL"]);
    assert_eq!(comments("/// see A\n    //! in B\nlet x = 1; // no"), "see A in B ");
}

#[test]
fn every_time_limit_has_its_reason() {
    let mut breaches = Vec::new();
    for file in sources("src") {
        let lines: Vec<&str> = file.text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let limit = line.contains("const ") && line.contains(": Duration");
            let explained = i > 0 && lines[i - 1].trim_start().starts_with("//");
            if limit && !explained && !line.contains("fn ") {
                breaches.push(format!("{}:{}", file.path, i + 1));
            }
        }
    }
    none("a comment above each constant duration says why it is that long", breaches);
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for file in sources("src") {
        assert!(!file.text.contains("allow(unsafe_code)"), "{}", file.path);
    }
}

/// As `cargo deny check bans` says it, which is not installed everywhere.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn crates_that_are_there_twice_are_known() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--duplicates", "--edges", "normal,build,dev"])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let versions: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap()))
        .collect();
    let twice: BTreeSet<&str> = versions
        .iter()
        .filter(|(name, _)| versions.iter().filter(|(other, _)| other == name).count() > 1)
        .map(|(name, _)| *name)
        .collect();
    let deny = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let known: BTreeSet<&str> = deny
        .lines()
        .filter(|line| {
            line.starts_with("skip-tree") || line.trim_end().ends_with("\" },") && line.contains('@')
        })
        .filter_map(|line| line.split('"').nth(1)?.split('@').next())
        .collect();
    assert_eq!(twice, known, "crates in two versions, and those that deny.toml passes over");
}

/// What is linked on the platform that the list was made on.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn linked_crates_and_their_licences_are_known() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,no-proc-macro", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let mut linked = BTreeSet::new();
    let mut refused = Vec::new();
    for line in tree.lines() {
        let (package, licence) = line.split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        linked.insert(name.to_owned());
        let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
        // One of the alternatives must be allowed in all of its parts.
        let fits = |alternative: &str| {
            alternative.split(" AND ").all(|part| LICENCES.contains(&part.trim_matches(['(', ')', ' '])))
        };
        if !licence.split(" OR ").any(fits) {
            refused.push(format!("{name}: {licence}"));
        }
    }
    none("licences are permissive ones", refused);

    let path = root().join("tests/fixtures/crates.txt");
    let now = linked.iter().map(|name| format!("{name}\n")).collect::<String>();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeSet<String> = known.lines().map(str::to_owned).collect();
    let news: Vec<String> = linked.symmetric_difference(&known).cloned().collect();
    none(
        "the linked crates are those of tests/fixtures/crates.txt (if the change is meant: UPDATE_EXPECT=1 cargo test linked_crates)",
        news,
    );
}
