//! The table of the permission policy: who decides what, and by which rule.

use wtt_connect::agent::permission::{PermissionKind, PermissionRequest, PolicyVerdict};
use wtt_connect::config::{Mode, permissions};
use wtt_connect::session::permissions::policy::{PolicyContext, decide, normalize_path, restricts};

fn ask(kind: PermissionKind, tool: &str, what: &[&str]) -> PermissionRequest {
    PermissionRequest {
        id: "1".to_owned(),
        kind,
        tool: tool.to_owned(),
        title: what.first().copied().unwrap_or("title").to_owned(),
        detail: String::new(),
        subjects: what.iter().map(|w| (*w).to_owned()).collect(),
        can_allow_session: true,
        choices: Vec::new(),
        answer_count: 1,
    }
}

const RULES: &str = r#"[
    {"action": "allow", "command": ["git status *", "git log *", "ls *"]},
    {"action": "ask", "command": "git push *"},
    {"action": "allow", "command": "git *"},
    {"action": "deny", "command": ["rm *", "git push --force *"]},
    {"action": "deny", "path": ["**/.env", "~/.ssh/**", "/etc/**"]},
    {"action": "allow", "path": "docs/**"},
    {"action": "allow", "tool": "mcp__*", "adapter": "claude-code", "topic": "t1"},
    {"action": "deny", "tool": "WebFetch", "task": "k1"}
]"#;

struct At<'a> {
    mode: Mode,
    people: bool,
    topic: &'a str,
    task: Option<&'a str>,
    grants: &'a [String],
}

const SUGGEST: At<'static> = At { mode: Mode::Suggest, people: true, topic: "t", task: None, grants: &[] };

fn with(at: &At<'_>, rules: &str, ask: &PermissionRequest) -> (char, String) {
    let mut paths: Vec<String> = Vec::new();
    if ask.kind != PermissionKind::Command {
        paths.extend(ask.subjects.iter().map(|path| normalize_path("/w", path)));
    }
    let case = PolicyContext {
        adapter: "claude-code",
        topic: at.topic,
        task: at.task,
        workdir: "/w",
        home: "/home/u",
        mode: at.mode,
        people: at.people,
        paths: &paths,
    };
    let ruling = decide(&case, &permissions::read(rules).unwrap(), at.grants, ask);
    let word = match ruling.verdict {
        PolicyVerdict::AskPeople => '?',
        PolicyVerdict::Allow => '+',
        PolicyVerdict::Deny(_) => '-',
    };
    (word, ruling.rule)
}

#[test]
fn commands() {
    for (line, full_auto, suggest, rule) in [
        ("git status", '+', '+', "rule 1"),
        ("git status -s", '+', '+', "rule 1"),
        ("git commit -m x", '+', '+', "rule 3"),
        ("git push origin", '?', '?', "rule 2"),
        ("git push --force", '-', '-', "rule 4"),
        ("git status; rm -rf /", '-', '-', "rule 4"),
        ("git status && sudo rm x", '-', '-', "rule 4"),
        ("git status | tee x", '+', '?', "the mode"),
        ("git status > x", '+', '?', "the mode"),
        ("git status 2>&1", '+', '+', "rule 1"),
        ("git log $(touch x)", '+', '?', "the mode"),
        ("git log $(rm x)", '-', '-', "rule 4"),
        ("git status; git push o", '?', '?', "rule 2"),
        ("git status; ls", '+', '+', "rule 1"),
        ("$X y", '?', '?', "rule 4 (deny), which may"),
        ("cat <<EOF\nx\nEOF", '?', '?', "rule 4 (deny), which may"),
        ("GIT_PAGER=x git log", '+', '?', "the mode"),
        ("./git status", '+', '?', "the mode"),
        ("cargo test", '+', '?', "the mode"),
        ("", '?', '?', "rule 4 (deny), which may"),
    ] {
        let ask = ask(
            PermissionKind::Command,
            "Bash",
            if line.is_empty() { &[] } else { std::slice::from_ref(&line) },
        );
        for (mode, want) in [(Mode::FullAuto, full_auto), (Mode::Suggest, suggest)] {
            let (got, by) = with(&At { mode, ..SUGGEST }, RULES, &ask);
            assert_eq!(got, want, "{line} in {mode:?}: {by}");
            assert!(by.starts_with(rule) || by.starts_with("the mode"), "{line}: {by}");
            // where nobody can be asked, what people would be asked is denied
            let alone = with(&At { mode, people: false, ..SUGGEST }, RULES, &ask).0;
            assert_eq!(alone, if want == '?' { '-' } else { want }, "{line} in {mode:?}, nobody there");
        }
    }
}

#[test]
fn files() {
    for (path, auto_edit, suggest) in [
        ("a.txt", '+', '?'),
        ("/w/a.txt", '+', '?'),
        ("docs/a/b.md", '+', '+'),
        ("docs/../a.txt", '+', '?'),
        ("docs/../../x", '?', '?'),
        ("/elsewhere/docs/x", '?', '?'),
        ("../w2/a", '?', '?'),
        (".git/config", '?', '?'),
        (".env", '-', '-'),
        ("docs/.env", '-', '-'),
        ("a/../.env", '-', '-'),
        ("/etc/passwd", '-', '-'),
        ("../etc/passwd", '-', '-'),
        ("/home/u/.ssh/id", '-', '-'),
    ] {
        for (mode, want) in [(Mode::AutoEdit, auto_edit), (Mode::Suggest, suggest)] {
            let (got, by) =
                with(&At { mode, ..SUGGEST }, RULES, &ask(PermissionKind::Edit, "Write", &[path]));
            assert_eq!(got, want, "{path} in {mode:?}: {by}");
        }
    }
    // of several files all must be allowed, and one that is denied is enough
    assert_eq!(with(&SUGGEST, RULES, &ask(PermissionKind::Edit, "apply_patch", &["docs/a", "src/b"])).0, '?');
    assert_eq!(with(&SUGGEST, RULES, &ask(PermissionKind::Edit, "apply_patch", &["docs/a", ".env"])).0, '-');
    assert_eq!(
        with(&At { mode: Mode::FullAuto, ..SUGGEST }, RULES, &ask(PermissionKind::Other, "Write", &[".env"]))
            .0,
        '-'
    );
}

#[test]
fn adapters_topics_tasks_and_tools() {
    let mcp = ask(PermissionKind::Other, "mcp__x__y", &[]);
    assert_eq!(with(&SUGGEST, RULES, &mcp).0, '?');
    assert_eq!(with(&At { topic: "t1", ..SUGGEST }, RULES, &mcp), ('+', "rule 7 (allow)".to_owned()));
    let other = RULES.replace("claude-code", "codex");
    assert_eq!(with(&At { topic: "t1", ..SUGGEST }, &other, &mcp).0, '?');
    let fetch = ask(PermissionKind::Fetch, "WebFetch", &["https://x"]);
    assert_eq!(with(&At { mode: Mode::FullAuto, task: Some("k1"), ..SUGGEST }, RULES, &fetch).0, '-');
    assert_eq!(with(&At { mode: Mode::FullAuto, task: Some("k2"), ..SUGGEST }, RULES, &fetch).0, '+');
    // an earlier rule wins, but never over one that denies
    let rules = r#"[{"action":"allow"},{"action":"ask","tool":"Bash"}]"#;
    assert_eq!(with(&SUGGEST, rules, &ask(PermissionKind::Command, "Bash", &["x"])).0, '+');
    let rules = r#"[{"action":"allow"},{"action":"deny","tool":"Bash"}]"#;
    assert_eq!(with(&SUGGEST, rules, &ask(PermissionKind::Command, "Bash", &["x"])).0, '-');
}

#[test]
fn what_people_allowed_for_the_session() {
    let grants = [
        "claude-code: Bash cargo test",
        "claude-code: edits in the working directory",
        "claude-code: Bash rm x",
    ];
    let grants = grants.map(str::to_owned);
    let at = At { grants: &grants, ..SUGGEST };
    let command = |line: &'static str| ask(PermissionKind::Command, "Bash", &[line]);
    assert_eq!(with(&at, RULES, &command("cargo test")), ('+', "allowed for this session".to_owned()));
    assert_eq!(with(&at, RULES, &command("cargo test; x")).0, '?');
    assert_eq!(with(&at, RULES, &command("rm x")).0, '-', "a rule that denies wins");
    let edit = |path: &'static str| ask(PermissionKind::Edit, "Write", &[path]);
    assert_eq!((with(&at, RULES, &edit("b")).0, with(&at, RULES, &edit("../b")).0), ('+', '?'));
    assert_eq!((with(&at, RULES, &edit(".git/hooks/x")).0, with(&at, RULES, &edit(".env")).0), ('?', '-'));
}

#[test]
fn questions_go_to_people_whatever_the_rules_say() {
    let question = ask(PermissionKind::Question, "AskUserQuestion", &[]);
    for rules in ["[]", r#"[{"action":"allow"}]"#, r#"[{"action":"deny"}]"#] {
        for mode in Mode::ALL {
            assert_eq!(with(&At { mode, ..SUGGEST }, rules, &question).0, '?');
            assert_eq!(with(&At { mode, people: false, ..SUGGEST }, rules, &question).0, '-');
        }
    }
    let plan = ask(PermissionKind::Plan, "ExitPlanMode", &[]);
    assert_eq!(
        (with(&SUGGEST, "[]", &plan).0, with(&At { mode: Mode::AutoEdit, ..SUGGEST }, "[]", &plan).0),
        ('?', '+')
    );
}

#[test]
fn rules_that_restrict() {
    let restricts = |rules: &str| restricts(&permissions::read(rules).unwrap(), "codex");
    assert!(
        restricts(r#"[{"action":"deny","path":"x"}]"#)
            && restricts(r#"[{"action":"ask","adapter":"codex"}]"#)
    );
    assert!(!restricts(r#"[{"action":"allow"},{"action":"deny","adapter":"gemini"}]"#));
}
