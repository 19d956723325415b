//! Questions that an agent asks before it does something, and what may be answered. Pure.
//!
//! Every CLI that can ask (claude control requests, codex approvals, ACP permission requests) is brought into this
//! form by its dialect. Nothing here talks to people: a [`Judge`] rules on each question, or leaves it to them.
//! [`decide`] is what the permission mode alone says.

use crate::config::Mode;

/// What the agent wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind {
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
pub struct Ask {
    /// The dialect's name for it, unique within the turn; [`crate::agent::dialect::Dialect::answer`] takes it.
    pub id: String,
    /// What it is about.
    pub kind: AskKind,
    /// The CLI's name of the tool.
    pub tool: String,
    /// One line: the command, the file, the question.
    pub title: String,
    /// All of it: the whole command, a diff, the choices; may be long.
    pub detail: String,
    /// What rules are compared with: the command line, the paths, the address. Empty where the CLI does not say it.
    pub what: Vec<String>,
    /// Whether "for this session" can be answered too.
    pub for_session: bool,
    /// The choices of a [`AskKind::Question`]; empty when it wants words.
    pub choices: Vec<String>,
    /// Answers that a [`AskKind::Question`] wants; of several, each has a line of its own.
    pub answers: usize,
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
pub struct Ruling {
    /// `None`: people are asked.
    pub decision: Option<Decision>,
    /// The rule, in words.
    pub rule: String,
}

/// Rules on questions as they come.
pub trait Judge: std::fmt::Debug {
    /// Decides, or leaves it to people.
    fn rule(&self, mode: Mode, ask: &Ask) -> Ruling;
    /// People have allowed this and the like.
    fn granted(&self, ask: &Ask) {
        let _ = ask;
    }
}

/// The mode alone, where there are no rules.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// Whether people are asked what the mode does not allow by itself.
    pub people: bool,
}

impl Judge for Plain {
    fn rule(&self, mode: Mode, ask: &Ask) -> Ruling {
        let decision = decide(mode, ask);
        let asks = self.people && matches!(decision, Decision::Deny(_));
        Ruling { decision: (!asks).then_some(decision), rule: format!("the mode {}", mode.name()) }
    }
}

/// What the mode says by itself. Modes that never ask allow everything; the others allow what they are named for.
pub fn decide(mode: Mode, ask: &Ask) -> Decision {
    let refused = || Decision::Deny("The permission mode of this connector does not allow it.".to_owned());
    match (mode, ask.kind) {
        (_, AskKind::Question) => {
            Decision::Deny("Nobody can answer now. Go on with what seems best to you.".to_owned())
        }
        (Mode::FullAuto | Mode::Yolo, _)
        | (_, AskKind::Read)
        | (Mode::AutoEdit, AskKind::Edit | AskKind::Plan) => Decision::Allow,
        (Mode::AutoEdit | Mode::Suggest, _) => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_alone() {
        let ask = |kind| Ask {
            id: "1".to_owned(),
            kind,
            tool: "Bash".to_owned(),
            title: "ls".to_owned(),
            detail: String::new(),
            what: Vec::new(),
            for_session: true,
            choices: Vec::new(),
            answers: 1,
        };
        let allowed = |mode, kind| decide(mode, &ask(kind)) == Decision::Allow;
        for kind in [AskKind::Command, AskKind::Edit, AskKind::Fetch, AskKind::Plan, AskKind::Other] {
            assert!(allowed(Mode::FullAuto, kind) && allowed(Mode::Yolo, kind));
            assert!(!allowed(Mode::Suggest, kind));
        }
        assert!(allowed(Mode::AutoEdit, AskKind::Edit) && !allowed(Mode::AutoEdit, AskKind::Command));
        assert!(allowed(Mode::Suggest, AskKind::Read));
        assert!(matches!(decide(Mode::Yolo, &ask(AskKind::Question)), Decision::Deny(_)));
    }
}
