//! Permission requests of agents, and the decisions on them. Pure.
//!
//! The dialect of every CLI that can ask (claude control requests, codex approvals, ACP permission requests) translates
//! its requests into this form. Nothing here talks to people: a [`PermissionPolicy`] decides each request or leaves it to
//! them. [`decide_by_mode`] is the decision of the permission mode alone.

use crate::config::Mode;

/// What the agent wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionKind {
    /// Run a shell command.
    Command,
    /// Write, move or delete files.
    Edit,
    /// Read or search.
    Read,
    /// Fetch from the network.
    Fetch,
    /// Get an answer in words or by choice, not a permission.
    Question,
    /// Leave its planning mode and begin to act.
    Plan,
    /// Anything else.
    Other,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionRequest {
    /// The dialect's id, unique within the turn; [`crate::agent::dialect::Dialect::answer`] takes it.
    pub id: String,
    /// What it is about.
    pub kind: PermissionKind,
    /// The CLI's name of the tool.
    pub tool: String,
    /// One line: the command, the file, the question.
    pub title: String,
    /// Everything: the whole command, a diff, the choices. May be long.
    pub detail: String,
    /// What rules are matched against: the command line, the paths, the address. Empty if the CLI does not say it.
    pub subjects: Vec<String>,
    /// Whether the answer may be [`Decision::AllowSession`].
    pub can_allow_session: bool,
    /// The choices of a [`PermissionKind::Question`]; empty if it wants words.
    pub choices: Vec<String>,
    /// How many answers a [`PermissionKind::Question`] wants; if several, each is on its own line.
    pub answer_count: usize,
}

/// What the agent is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may, this time.
    Allow,
    /// It may do this and the like for as long as the native session lives.
    AllowSession,
    /// It must not; the turn continues. The words are for the agent.
    Deny(String),
    /// It must not, and the turn ends.
    DenyAndStop,
    /// The answer to a [`PermissionKind::Question`].
    Answer(String),
}

/// Who decides a request, and how, by the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyVerdict {
    /// The agent may, this time.
    Allow,
    /// The agent must not. The words are for the agent.
    Deny(String),
    /// People decide.
    AskPeople,
}

/// A verdict with its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDecision {
    /// The verdict.
    pub verdict: PolicyVerdict,
    /// The rule that led to it, in words.
    pub rule: String,
}

/// Decides permission requests as they come.
pub trait PermissionPolicy: std::fmt::Debug {
    /// Decides a request in this mode, or leaves it to people.
    fn evaluate(&self, mode: Mode, request: &PermissionRequest) -> PolicyDecision;
    /// Remembers that people have allowed this and the like for the session.
    fn record_grant(&self, request: &PermissionRequest) {
        let _ = request;
    }
}

/// A policy without rules: the permission mode alone decides.
#[derive(Debug, Clone, Copy)]
pub struct ModePolicy {
    /// Whether people are asked about what the mode does not allow by itself.
    pub can_ask_people: bool,
}

impl PermissionPolicy for ModePolicy {
    fn evaluate(&self, mode: Mode, request: &PermissionRequest) -> PolicyDecision {
        let verdict = match decide_by_mode(mode, request) {
            PolicyVerdict::Deny(_) if self.can_ask_people => PolicyVerdict::AskPeople,
            verdict => verdict,
        };
        PolicyDecision { verdict, rule: format!("the mode {}", mode.name()) }
    }
}

/// What the mode says by itself: allow or deny, never ask people. Modes that never ask allow everything; the others allow
/// what they are named for.
pub fn decide_by_mode(mode: Mode, request: &PermissionRequest) -> PolicyVerdict {
    let refused =
        || PolicyVerdict::Deny("The permission mode of this connector does not allow it.".to_owned());
    match (mode, request.kind) {
        (_, PermissionKind::Question) => {
            PolicyVerdict::Deny("Nobody can answer now. Continue as you think best.".to_owned())
        }
        (Mode::FullAuto | Mode::Yolo, _)
        | (_, PermissionKind::Read)
        | (Mode::AutoEdit, PermissionKind::Edit | PermissionKind::Plan) => PolicyVerdict::Allow,
        (Mode::AutoEdit | Mode::Suggest, _) => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_alone() {
        let request = |kind| PermissionRequest {
            id: "1".to_owned(),
            kind,
            tool: "Bash".to_owned(),
            title: "ls".to_owned(),
            detail: String::new(),
            subjects: Vec::new(),
            can_allow_session: true,
            choices: Vec::new(),
            answer_count: 1,
        };
        let allowed = |mode, kind| decide_by_mode(mode, &request(kind)) == PolicyVerdict::Allow;
        for kind in [
            PermissionKind::Command,
            PermissionKind::Edit,
            PermissionKind::Fetch,
            PermissionKind::Plan,
            PermissionKind::Other,
        ] {
            assert!(allowed(Mode::FullAuto, kind) && allowed(Mode::Yolo, kind));
            assert!(!allowed(Mode::Suggest, kind));
        }
        assert!(
            allowed(Mode::AutoEdit, PermissionKind::Edit)
                && !allowed(Mode::AutoEdit, PermissionKind::Command)
        );
        assert!(allowed(Mode::Suggest, PermissionKind::Read));
        assert!(matches!(
            decide_by_mode(Mode::Yolo, &request(PermissionKind::Question)),
            PolicyVerdict::Deny(_)
        ));
    }
}
