//! Questions that an agent asks before it does something, and what may be answered. Pure.
//!
//! Every CLI that can ask (claude control requests, codex approvals, ACP permission requests) is brought into this
//! form by its dialect. Nothing here talks to people: a [`Judge`] rules on each question, or leaves it to them.
//! [`decide`] is what the permission mode alone says.

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
    /// It needs an answer in words or by choice, not a permission.
    Question,
    /// Leave its planning mode and begin to act.
    Plan,
    /// Anything else.
    Other,
}

/// One open question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionRequest {
    /// The dialect's name for it, unique within the turn; [`crate::agent::dialect::Dialect::answer`] takes it.
    pub id: String,
    /// What it is about.
    pub kind: PermissionKind,
    /// The CLI's name of the tool.
    pub tool: String,
    /// One line: the command, the file, the question.
    pub title: String,
    /// All of it: the whole command, a diff, the choices; may be long.
    pub detail: String,
    /// What rules are compared with: the command line, the paths, the address. Empty where the CLI does not say it.
    pub subjects: Vec<String>,
    /// Whether "for this session" can be answered too.
    pub can_allow_session: bool,
    /// The choices of a [`AskKind::Question`]; empty when it wants words.
    pub choices: Vec<String>,
    /// Answers that a [`AskKind::Question`] wants; of several, each has a line of its own.
    pub answer_count: usize,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This time.
    Allow,
    /// This and the like, for as long as the native session lives.
    AllowSession,
    /// Not this; the turn goes on. The words are for the agent.
    Deny(String),
    /// Not this, and the turn ends.
    DenyAndStop,
    /// The answer to a [`AskKind::Question`].
    Answer(String),
}

/// What was decided about a question, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDecision {
    /// `None`: people are asked.
    pub decision: Option<Decision>,
    /// The rule, in words.
    pub rule: String,
}

/// Rules on questions as they come.
pub trait PermissionPolicy: std::fmt::Debug {
    /// Decides, or leaves it to people.
    fn evaluate(&self, mode: Mode, ask: &PermissionRequest) -> PolicyDecision;
    /// People have allowed this and the like.
    fn record_grant(&self, ask: &PermissionRequest) {
        let _ = ask;
    }
}

/// The mode alone, where there are no rules.
#[derive(Debug, Clone, Copy)]
pub struct ModePolicy {
    /// Whether people are asked what the mode does not allow by itself.
    pub can_ask_people: bool,
}

impl PermissionPolicy for ModePolicy {
    fn evaluate(&self, mode: Mode, ask: &PermissionRequest) -> PolicyDecision {
        let decision = decide_by_mode(mode, ask);
        let asks = self.can_ask_people && matches!(decision, Decision::Deny(_));
        PolicyDecision { decision: (!asks).then_some(decision), rule: format!("the mode {}", mode.name()) }
    }
}

/// What the mode says by itself. Modes that never ask allow everything; the others allow what they are named for.
pub fn decide_by_mode(mode: Mode, ask: &PermissionRequest) -> Decision {
    let refused = || Decision::Deny("The permission mode of this connector does not allow it.".to_owned());
    match (mode, ask.kind) {
        (_, PermissionKind::Question) => {
            Decision::Deny("Nobody can answer now. Go on with what seems best to you.".to_owned())
        }
        (Mode::FullAuto | Mode::Yolo, _)
        | (_, PermissionKind::Read)
        | (Mode::AutoEdit, PermissionKind::Edit | PermissionKind::Plan) => Decision::Allow,
        (Mode::AutoEdit | Mode::Suggest, _) => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_alone() {
        let ask = |kind| PermissionRequest {
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
        let allowed = |mode, kind| decide_by_mode(mode, &ask(kind)) == Decision::Allow;
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
        assert!(matches!(decide_by_mode(Mode::Yolo, &ask(PermissionKind::Question)), Decision::Deny(_)));
    }
}
