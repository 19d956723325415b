//! Who decides what an agent asks: the rules of the settings, what people have allowed in the topic, the mode, or people
//! now. One pure function; what it needs to know of the disk is passed in. The side that looks there is `evaluator.rs`.
//!
//! The order: a rule that denies wins over everything; then what people have allowed for the session; then the first
//! rule that matches; then the mode; and what the mode does not allow, people are asked. A command line is judged command
//! by command: all of them must be allowed.

use crate::agent::permission::{self, PermissionKind, PermissionRequest, PolicyDecision, PolicyVerdict};
use crate::config::Mode;
use crate::config::permissions::{self, PermissionEffect, PermissionRule};
use crate::session::permissions::pattern::{self, PatternMatch};
use crate::session::permissions::shell_parser::{self, SimpleCommand};

/// In what circumstances a question comes.
#[derive(Debug, Clone, Copy)]
pub struct PolicyContext<'a> {
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
const CONFIGURATION_FILES: &[&str] =
    &[".git", ".claude", ".codex", ".gemini", ".cursor", ".vscode", ".idea", ".husky", ".ssh"];

/// Longest command or path that "for this session" remembers; a longer one is asked about again.
const MAX_GRANT: usize = 2000;

/// Decides, with the rule that did. `grants` are those of [`grant`].
pub fn decide(
    case: &PolicyContext<'_>,
    rules: &[PermissionRule],
    grants: &[String],
    ask: &PermissionRequest,
) -> PolicyDecision {
    if ask.kind == PermissionKind::Question {
        return can_ask_people(case, "the agent has a question".to_owned(), ask);
    }
    let units = request_parts(ask);
    let mut verdict = RuleMatch::Silent;
    let mut silent = false;
    for unit in &units {
        match match_rules(case, rules, unit, ask) {
            RuleMatch::Silent => silent = true,
            found => verdict = verdict.stricter(found),
        }
    }
    if let RuleMatch::Rule(rule, PermissionEffect::Deny) = verdict {
        let words = "A rule of this connector forbids it.".to_owned();
        return PolicyDecision { verdict: PolicyVerdict::Deny(words), rule: name(rule) };
    }
    if grant(case, ask).is_some_and(|grant| grants.contains(&grant)) {
        return allow("allowed for this session".to_owned());
    }
    match verdict {
        RuleMatch::Unclear(rule) => {
            can_ask_people(case, format!("{}, which may forbid a part of it", name(rule)), ask)
        }
        RuleMatch::Rule(rule, PermissionEffect::Ask) => can_ask_people(case, name(rule), ask),
        RuleMatch::Rule(rule, _) if !silent => allow(name(rule)),
        _ => by_mode(case, ask),
    }
}

/// What "for this session" covers: the same again, or every edit in the working directory. `None`: it cannot be told.
pub fn grant(case: &PolicyContext<'_>, ask: &PermissionRequest) -> Option<String> {
    let adapter = case.adapter;
    if ask.kind == PermissionKind::Edit && is_ordinary(case) {
        return Some(format!("{adapter}: edits in the working directory"));
    }
    let what = if ask.subjects.is_empty() { ask.title.clone() } else { ask.subjects.join(" ") };
    let whole = !what.is_empty() && what.len() < MAX_GRANT && ask.kind != PermissionKind::Question;
    whole.then(|| format!("{adapter}: {} {what}", ask.tool))
}

/// Whether any rule may refuse, or ask for, what this adapter does: then it must be started so that it asks.
pub fn restricts(rules: &[PermissionRule], adapter: &str) -> bool {
    rules
        .iter()
        .any(|rule| rule.effect != PermissionEffect::Allow && any(&rule.adapter, |name| name == adapter))
}

fn allow(rule: String) -> PolicyDecision {
    PolicyDecision { verdict: PolicyVerdict::Allow, rule }
}

fn name(rule: &PermissionRule) -> String {
    let effect = match rule.effect {
        PermissionEffect::Allow => "allow",
        PermissionEffect::Ask => "ask",
        PermissionEffect::Deny => "deny",
    };
    format!("rule {} ({effect})", rule.number)
}

/// People are asked, where there are any.
fn can_ask_people(case: &PolicyContext<'_>, rule: String, ask: &PermissionRequest) -> PolicyDecision {
    let verdict = match permission::decide_by_mode(Mode::Suggest, ask) {
        _ if case.people => PolicyVerdict::AskPeople,
        PolicyVerdict::Deny(words) => PolicyVerdict::Deny(words),
        PolicyVerdict::Allow | PolicyVerdict::AskPeople => {
            PolicyVerdict::Deny("Nobody can be asked now.".to_owned())
        }
    };
    PolicyDecision { verdict, rule }
}

fn by_mode(case: &PolicyContext<'_>, ask: &PermissionRequest) -> PolicyDecision {
    let rule = format!("the mode {}", case.mode.name());
    let plain = case.mode != Mode::AutoEdit || ask.kind != PermissionKind::Edit || is_ordinary(case);
    match permission::decide_by_mode(case.mode, ask) {
        PolicyVerdict::Allow if plain => allow(rule),
        _ => can_ask_people(case, rule, ask),
    }
}

/// Whether all files lie in the working directory, and none where it steers other programs.
fn is_ordinary(case: &PolicyContext<'_>) -> bool {
    let inside = |path: &String| {
        let below = path.strip_prefix(case.workdir).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| !rest.split('/').any(|part| CONFIGURATION_FILES.contains(&part)))
    };
    !case.paths.is_empty() && case.paths.iter().all(inside)
}

/// What is judged for itself: each command of a line, else the whole.
enum RequestPart {
    Command(SimpleCommand),
    /// A line that cannot be read.
    Unreadable,
    Whole,
}

fn request_parts(ask: &PermissionRequest) -> Vec<RequestPart> {
    if ask.kind != PermissionKind::Command {
        return vec![RequestPart::Whole];
    }
    let mut units = Vec::new();
    for line in &ask.subjects {
        match shell_parser::parse_commands(line) {
            Some(found) => units.extend(found.into_iter().map(RequestPart::Command)),
            None => units.push(RequestPart::Unreadable),
        }
    }
    if units.is_empty() {
        units.push(RequestPart::Unreadable);
    }
    units
}

/// What the rules say.
#[derive(Debug, Clone, Copy)]
enum RuleMatch<'a> {
    Silent,
    Rule(&'a PermissionRule, PermissionEffect),
    /// This one denies or asks, if the command is what it may be.
    Unclear(&'a PermissionRule),
}

impl<'a> RuleMatch<'a> {
    fn weight(self) -> u8 {
        match self {
            RuleMatch::Silent => 0,
            RuleMatch::Rule(_, PermissionEffect::Allow) => 1,
            RuleMatch::Rule(_, PermissionEffect::Ask) => 2,
            RuleMatch::Unclear(_) => 3,
            RuleMatch::Rule(_, PermissionEffect::Deny) => 4,
        }
    }

    fn stricter(self, other: RuleMatch<'a>) -> RuleMatch<'a> {
        if other.weight() > self.weight() { other } else { self }
    }
}

/// The rules on one unit: any that denies, else the first that matches.
fn match_rules<'a>(
    case: &PolicyContext<'_>,
    rules: &'a [PermissionRule],
    unit: &RequestPart,
    ask: &PermissionRequest,
) -> RuleMatch<'a> {
    let mut found = RuleMatch::Silent;
    for rule in rules.iter().filter(|rule| is_about(rule, case, ask)) {
        let verdict = match (matches(case, rule, unit, ask), rule.effect) {
            (PatternMatch::Yes, effect) => RuleMatch::Rule(rule, effect),
            (PatternMatch::Maybe, PermissionEffect::Deny) => RuleMatch::Unclear(rule),
            _ => continue,
        };
        let stronger = matches!(verdict, RuleMatch::Rule(_, PermissionEffect::Deny) | RuleMatch::Unclear(_));
        found = match found {
            RuleMatch::Silent => verdict,
            _ if stronger => found.stricter(verdict),
            _ => found,
        };
    }
    found
}

fn any(list: &[String], is: impl Fn(&str) -> bool) -> bool {
    list.is_empty() || list.iter().any(|one| is(one))
}

fn is_about(rule: &PermissionRule, case: &PolicyContext<'_>, ask: &PermissionRequest) -> bool {
    any(&rule.adapter, |name| name == case.adapter)
        && any(&rule.tool, |pattern| permissions::glob(pattern, &ask.tool))
        && any(&rule.topic, |topic| topic == case.topic)
        && any(&rule.task, |task| Some(task) == case.task)
}

fn matches(
    case: &PolicyContext<'_>,
    rule: &PermissionRule,
    unit: &RequestPart,
    ask: &PermissionRequest,
) -> PatternMatch {
    let strict = rule.effect == PermissionEffect::Allow;
    let certain = |yes: bool| if yes { PatternMatch::Yes } else { PatternMatch::No };
    if !rule.path.is_empty() {
        // a tool that names no file, or one that we cannot find in its question
        let is_file = matches!(ask.kind, PermissionKind::Edit | PermissionKind::Read | PermissionKind::Other)
            && !case.paths.is_empty();
        let one = |path: &String| rule.path.iter().any(|pattern| is_path_match(case, pattern, path));
        let yes = if strict { case.paths.iter().all(one) } else { case.paths.iter().any(one) };
        return certain(is_file && yes);
    }
    if rule.command.is_empty() {
        return PatternMatch::Yes;
    }
    match unit {
        RequestPart::Whole => PatternMatch::No,
        RequestPart::Unreadable => certain(rule.command.iter().any(|pattern| pattern == "*")).or(strict),
        RequestPart::Command(simple) if strict => {
            certain(rule.command.iter().any(|pattern| pattern::matches_surely(pattern, simple)))
        }
        RequestPart::Command(simple) => {
            let fits = rule.command.iter().map(|pattern| pattern::matches_possibly(pattern, simple));
            fits.fold(PatternMatch::No, |best, fit| {
                if best == PatternMatch::Yes || fit == PatternMatch::No { best } else { fit }
            })
        }
    }
}

impl PatternMatch {
    /// A rule that is not meant to allow may fit what cannot be read.
    fn or(self, strict: bool) -> PatternMatch {
        if self == PatternMatch::No && !strict { PatternMatch::Maybe } else { self }
    }
}

/// Whether a path lies where a pattern says, which counts from the working directory.
fn is_path_match(case: &PolicyContext<'_>, pattern: &str, path: &str) -> bool {
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
pub fn normalize_path(workdir: &str, path: &str) -> String {
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
