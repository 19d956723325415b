//! Rules on an agent's questions for one turn: looks at the disk where links lead, and asks the policy (`policy.rs`).

use crate::agent::adapter::AdapterSpec;
use crate::agent::permission::{PermissionKind, PermissionPolicy, PermissionRequest, PolicyDecision};
use crate::agent::{TurnRequest, outcome::Reason};
use crate::config::{Config, Mode};
use crate::session::permissions::policy::{self, PolicyContext};
use crate::wire::intake::{Job, Scope};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// Who rules in one turn.
#[derive(Debug)]
pub(crate) struct RequestEvaluator<'a> {
    config: &'a Config,
    adapter: &'a str,
    topic: &'a str,
    task: Option<&'a str>,
    mode: Mode,
    workdir: String,
    home: String,
    /// What people have allowed for the session, also in this turn.
    grants: RefCell<Vec<String>>,
}

impl<'a> RequestEvaluator<'a> {
    /// For a turn in a mode of its topic.
    pub(crate) fn new(
        config: &'a Config,
        adapter: &'a AdapterSpec,
        job: &'a Job,
        mode: Mode,
        grants: Vec<String>,
    ) -> RequestEvaluator<'a> {
        let workdir = resolve_links(&config.workdir.to_string_lossy());
        let home = config.variable("HOME").unwrap_or_default();
        let task = match &job.scope {
            Scope::Task(id) => Some(id.as_str()),
            Scope::Topic(_) => None,
        };
        let grants = RefCell::new(grants);
        RequestEvaluator {
            config,
            adapter: adapter.name,
            topic: &job.topic_id,
            task,
            mode,
            workdir,
            home,
            grants,
        }
    }

    fn case<'c>(&'c self, paths: &'c [String]) -> PolicyContext<'c> {
        PolicyContext {
            adapter: self.adapter,
            topic: self.topic,
            task: self.task,
            workdir: &self.workdir,
            home: &self.home,
            mode: self.mode,
            people: !self.config.approval.is_zero(),
            paths,
        }
    }

    /// What an agent's tool may take a path for: some leave blanks out and know `~`. Each reading must be allowed.
    fn readings(&self, path: &str) -> Vec<String> {
        let short = path.trim();
        let mut all = vec![path.to_owned()];
        if let Some(rest) = short.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            all.push(format!("{}{rest}", self.home));
        } else if short != path {
            all.push(short.to_owned());
        }
        all
    }

    fn paths(&self, ask: &PermissionRequest) -> Vec<String> {
        let mut paths = Vec::new();
        if matches!(ask.kind, PermissionKind::Edit | PermissionKind::Read | PermissionKind::Other) {
            for path in ask.subjects.iter().flat_map(|path| self.readings(path)) {
                let plain = policy::normalize_path(&self.config.workdir.to_string_lossy(), &path);
                // links are followed before `..`, as the system does
                let real = resolve_links(&absolute(&self.config.workdir, &path));
                let given = plain.strip_prefix(&*self.config.workdir.to_string_lossy());
                let given = given.filter(|rest| rest.is_empty() || rest.starts_with('/'));
                let plain = given.map(|rest| format!("{}{rest}", self.workdir)).unwrap_or(plain);
                if plain != real {
                    paths.push(plain);
                }
                paths.push(real);
            }
        }
        paths
    }
}

impl PermissionPolicy for RequestEvaluator<'_> {
    /// The mode of the topic counts, not that in which the agent was started.
    fn evaluate(&self, _: Mode, ask: &PermissionRequest) -> PolicyDecision {
        let paths = self.paths(ask);
        policy::decide(&self.case(&paths), &self.config.permissions, &self.grants.borrow(), ask)
    }

    fn record_grant(&self, ask: &PermissionRequest) {
        self.grants.borrow_mut().extend(self.grant(ask));
    }
}

impl RequestEvaluator<'_> {
    /// What the answer "for this session" would allow.
    pub(crate) fn grant(&self, ask: &PermissionRequest) -> Option<String> {
        let paths = self.paths(ask);
        policy::grant(&self.case(&paths), ask)
    }
}

/// The mode in which the agent is started: one that asks, where rules may refuse what it does. An agent that cannot ask
/// is not started then.
pub(crate) fn start_mode(
    config: &Config,
    adapter: &AdapterSpec,
    request: &TurnRequest,
) -> Result<Mode, (Reason, String)> {
    let mode = request.mode;
    if mode == Mode::Suggest || !policy::restricts(&config.permissions, adapter.name) {
        return Ok(mode);
    }
    let asking = TurnRequest { mode: Mode::Suggest, ..request.clone() };
    let knows = adapter.modes.iter().any(|row| row.0 == Mode::Suggest);
    if knows && (adapter.dialect)(&asking).keeps_stdin() {
        return Ok(Mode::Suggest);
    }
    Err((
        Reason::RefusedByPolicy,
        format!(
            "rules of WTT_CONNECT_PERMISSIONS restrict it, and it cannot ask in this form; name the adapters that \
             these rules are for, or let {} speak a form in which it asks",
            adapter.title
        ),
    ))
}

fn absolute(workdir: &Path, path: &str) -> String {
    workdir.join(path).to_string_lossy().into_owned()
}

/// Links that lead to links, at most: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Where a path leads when links are followed, as far as it exists; also one to what does not exist yet.
fn resolve_links(path: &str) -> String {
    let mut known = PathBuf::from(path);
    let mut rest = Vec::new();
    let mut links = 0;
    loop {
        if let Ok(found) = known.canonicalize() {
            let tail: Vec<String> = rest.into_iter().rev().collect();
            return policy::normalize_path(&found.to_string_lossy(), &tail.join("/"));
        }
        if let Ok(target) = known.read_link()
            && links < MAX_LINKS
        {
            links += 1;
            known.pop();
            known.push(target);
            continue;
        }
        let name = match known.components().next_back() {
            Some(name) => name.as_os_str().to_string_lossy().into_owned(),
            None => return policy::normalize_path("/", path),
        };
        rest.push(name);
        if !known.pop() {
            return policy::normalize_path("/", path);
        }
    }
}
