//! Who decides what an agent asks: the rules of the settings, what people have allowed in the topic, the mode, or people
//! now. One pure function; what it needs to know of the disk is passed in. The side that looks there is `evaluator.rs`.
//!
//! The order: a rule that denies wins over everything; then what people have allowed for the session; then the first
//! rule that matches; then the mode; and what the mode does not allow, people are asked. A command line is judged command
//! by command: all of them must be allowed.

use crate::agent::permission;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest, PolicyDecision};
use crate::config::Mode;
use crate::config::permissions::{self, Effect, Rule};
use crate::session::permissions::pattern;
use crate::session::permissions::pattern::Fit;
use crate::session::permissions::shell_parser;
use crate::session::permissions::shell_parser::Simple;

/// In what circumstances a question comes.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The adapter's name.
    pub adapter: &'a str,
    /// The topic's id.
    pub topic: &'a str,
    /// The task's id.
    pub task: Option<&'a str>,
    /// The working directory, absolute.
    pub workdir: &'a str,
    /// The user's home directory, for patterns that begin with `~/`.
    pub home: &'a str,
    /// The mode of the topic.
    pub mode: Mode,
    /// Whether people are asked at all.
    pub people: bool,
    /// The files that it is about: absolute, without `..`, and also as they are when links are followed.
    pub paths: &'a [String],
}

/// Folders that steer other programs: an edit there is more than an edit.
const STEERING: &[&str] =
    &[".git", ".claude", ".codex", ".gemini", ".cursor", ".vscode", ".idea", ".husky", ".ssh"];

/// Longest command or path that "for this session" remembers; a longer one is asked about again.
const MAX_GRANT: usize = 2000;

/// Decides, with the rule that did. `grants` are those of [`grant`].
pub fn decide(case: &Case<'_>, rules: &[Rule], grants: &[String], ask: &PermissionRequest) -> PolicyDecision {
    if ask.kind == PermissionKind::Question {
        return people(case, "the agent has a question".to_owned(), ask);
    }
    let units = units(ask);
    let mut verdict = Verdict::Silent;
    let mut silent = false;
    for unit in &units {
        match judge(case, rules, unit, ask) {
            Verdict::Silent => silent = true,
            found => verdict = verdict.stricter(found),
        }
    }
    if let Verdict::Rule(rule, Effect::Deny) = verdict {
        let words = "A rule of this connector forbids it.".to_owned();
        return PolicyDecision { decision: Some(Decision::Deny(words)), rule: name(rule) };
    }
    if grant(case, ask).is_some_and(|grant| grants.contains(&grant)) {
        return allow("allowed for this session".to_owned());
    }
    match verdict {
        Verdict::Unclear(rule) => people(case, format!("{}, which may forbid a part of it", name(rule)), ask),
        Verdict::Rule(rule, Effect::Ask) => people(case, name(rule), ask),
        Verdict::Rule(rule, _) if !silent => allow(name(rule)),
        _ => by_mode(case, ask),
    }
}

/// What "for this session" covers: the same again, or every edit in the working directory. `None`: it cannot be told.
pub fn grant(case: &Case<'_>, ask: &PermissionRequest) -> Option<String> {
    let adapter = case.adapter;
    if ask.kind == PermissionKind::Edit && is_ordinary(case) {
        return Some(format!("{adapter}: edits in the working directory"));
    }
    let what = if ask.subjects.is_empty() { ask.title.clone() } else { ask.subjects.join(" ") };
    let whole = !what.is_empty() && what.len() < MAX_GRANT && ask.kind != PermissionKind::Question;
    whole.then(|| format!("{adapter}: {} {what}", ask.tool))
}

/// Whether any rule may refuse, or ask for, what this adapter does: then it must be started so that it asks.
pub fn restricts(rules: &[Rule], adapter: &str) -> bool {
    rules.iter().any(|rule| rule.effect != Effect::Allow && any(&rule.adapter, |name| name == adapter))
}

fn allow(rule: String) -> PolicyDecision {
    PolicyDecision { decision: Some(Decision::Allow), rule }
}

fn name(rule: &Rule) -> String {
    let effect = match rule.effect {
        Effect::Allow => "allow",
        Effect::Ask => "ask",
        Effect::Deny => "deny",
    };
    format!("rule {} ({effect})", rule.number)
}

/// People are asked, where there are any.
fn people(case: &Case<'_>, rule: String, ask: &PermissionRequest) -> PolicyDecision {
    let nobody = || permission::decide_by_mode(Mode::Suggest, ask);
    let refused = || match nobody() {
        Decision::Allow => Decision::Deny("Nobody can be asked now.".to_owned()),
        other => other,
    };
    PolicyDecision { decision: (!case.people).then(refused), rule }
}

fn by_mode(case: &Case<'_>, ask: &PermissionRequest) -> PolicyDecision {
    let rule = format!("the mode {}", case.mode.name());
    let plain = case.mode != Mode::AutoEdit || ask.kind != PermissionKind::Edit || is_ordinary(case);
    match permission::decide_by_mode(case.mode, ask) {
        Decision::Allow if plain => allow(rule),
        _ => people(case, rule, ask),
    }
}

/// Whether all files lie in the working directory, and none where it steers other programs.
fn is_ordinary(case: &Case<'_>) -> bool {
    let inside = |path: &String| {
        let below = path.strip_prefix(case.workdir).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| !rest.split('/').any(|part| STEERING.contains(&part)))
    };
    !case.paths.is_empty() && case.paths.iter().all(inside)
}

/// What is judged for itself: each command of a line, else the whole.
enum Unit {
    Command(Simple),
    /// A line that cannot be read.
    Unreadable,
    Whole,
}

fn units(ask: &PermissionRequest) -> Vec<Unit> {
    if ask.kind != PermissionKind::Command {
        return vec![Unit::Whole];
    }
    let mut units = Vec::new();
    for line in &ask.subjects {
        match shell_parser::read(line) {
            Some(found) => units.extend(found.into_iter().map(Unit::Command)),
            None => units.push(Unit::Unreadable),
        }
    }
    if units.is_empty() {
        units.push(Unit::Unreadable);
    }
    units
}

/// What the rules say.
#[derive(Debug, Clone, Copy)]
enum Verdict<'a> {
    Silent,
    Rule(&'a Rule, Effect),
    /// This one denies or asks, if the command is what it may be.
    Unclear(&'a Rule),
}

impl<'a> Verdict<'a> {
    fn weight(self) -> u8 {
        match self {
            Verdict::Silent => 0,
            Verdict::Rule(_, Effect::Allow) => 1,
            Verdict::Rule(_, Effect::Ask) => 2,
            Verdict::Unclear(_) => 3,
            Verdict::Rule(_, Effect::Deny) => 4,
        }
    }

    fn stricter(self, other: Verdict<'a>) -> Verdict<'a> {
        if other.weight() > self.weight() { other } else { self }
    }
}

/// The rules on one unit: any that denies, else the first that matches.
fn judge<'a>(case: &Case<'_>, rules: &'a [Rule], unit: &Unit, ask: &PermissionRequest) -> Verdict<'a> {
    let mut found = Verdict::Silent;
    for rule in rules.iter().filter(|rule| is_about(rule, case, ask)) {
        let verdict = match (matches(case, rule, unit, ask), rule.effect) {
            (Fit::Yes, effect) => Verdict::Rule(rule, effect),
            (Fit::Maybe, Effect::Deny) => Verdict::Unclear(rule),
            _ => continue,
        };
        let stronger = matches!(verdict, Verdict::Rule(_, Effect::Deny) | Verdict::Unclear(_));
        found = match found {
            Verdict::Silent => verdict,
            _ if stronger => found.stricter(verdict),
            _ => found,
        };
    }
    found
}

fn any(list: &[String], is: impl Fn(&str) -> bool) -> bool {
    list.is_empty() || list.iter().any(|one| is(one))
}

fn is_about(rule: &Rule, case: &Case<'_>, ask: &PermissionRequest) -> bool {
    any(&rule.adapter, |name| name == case.adapter)
        && any(&rule.tool, |pattern| permissions::glob(pattern, &ask.tool))
        && any(&rule.topic, |topic| topic == case.topic)
        && any(&rule.task, |task| Some(task) == case.task)
}

fn matches(case: &Case<'_>, rule: &Rule, unit: &Unit, ask: &PermissionRequest) -> Fit {
    let strict = rule.effect == Effect::Allow;
    let certain = |yes: bool| if yes { Fit::Yes } else { Fit::No };
    if !rule.path.is_empty() {
        // a tool that names no file, or one that we cannot find in its question
        let is_file = matches!(ask.kind, PermissionKind::Edit | PermissionKind::Read | PermissionKind::Other)
            && !case.paths.is_empty();
        let one = |path: &String| rule.path.iter().any(|pattern| lies(case, pattern, path));
        let yes = if strict { case.paths.iter().all(one) } else { case.paths.iter().any(one) };
        return certain(is_file && yes);
    }
    if rule.command.is_empty() {
        return Fit::Yes;
    }
    match unit {
        Unit::Whole => Fit::No,
        Unit::Unreadable => certain(rule.command.iter().any(|pattern| pattern == "*")).or(strict),
        Unit::Command(simple) if strict => {
            certain(rule.command.iter().any(|pattern| pattern::surely(pattern, simple)))
        }
        Unit::Command(simple) => {
            let fits = rule.command.iter().map(|pattern| pattern::perhaps(pattern, simple));
            fits.fold(Fit::No, |best, fit| if best == Fit::Yes || fit == Fit::No { best } else { fit })
        }
    }
}

impl Fit {
    /// A rule that is not meant to allow may fit what cannot be read.
    fn or(self, strict: bool) -> Fit {
        if self == Fit::No && !strict { Fit::Maybe } else { self }
    }
}

/// Whether a path lies where a pattern says, which counts from the working directory.
fn lies(case: &Case<'_>, pattern: &str, path: &str) -> bool {
    let whole = match pattern.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", case.home),
        None if pattern.starts_with('/') => pattern.to_owned(),
        None => format!("{}/{}", case.workdir, pattern.trim_start_matches("./")),
    };
    let (mut wanted, mut parts): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    wanted.extend(whole.split('/').filter(|part| !part.is_empty()));
    parts.extend(path.split('/').filter(|part| !part.is_empty()));
    permissions::path(&wanted, &parts)
}

/// A path made absolute, without `.` and `..`.
pub fn normal(workdir: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{workdir}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
