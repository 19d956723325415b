//! What goes into a running turn and comes out of it: control requests, steering messages, runner events. Plain data.

use crate::agent::AgentEvent;
use crate::agent::permission::{Decision, PermissionRequest};
use std::time::Duration;

/// How long nothing may happen before [`RunnerEvent::Heartbeat`]: less than the 30 s after which the web client drops a
/// typing status.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);

/// A request to a running turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The user stops the turn. The agent is asked first and then signalled; all its processes are gone within 10 s
    /// (3 s is the aim).
    Cancel,
    /// The daemon is shutting down: like [`Control::Cancel`], but faster.
    Shutdown,
    /// Send SIGKILL at once.
    Kill,
    /// The user's answer to [`RunnerEvent::PermissionRequested`]. An answer to a request that is no longer open is
    /// ignored.
    Answer {
        /// [`PermissionRequest::id`].
        id: String,
        /// The decision.
        decision: Decision,
    },
}

/// A further message of the user for a turn that is already running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringMessage {
    /// The sender's id of the message; [`RunnerEvent::Steered`] repeats it.
    pub id: String,
    /// The message, as a prompt.
    pub text: String,
    /// Interrupt the agent even if it could take the message while it works.
    pub interrupt: bool,
}

/// What happened to a steering message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteerOutcome {
    /// The agent has the message. The end of the turn answers it as well.
    Accepted,
    /// The agent is being interrupted. It continues in the same turn with all messages.
    Interrupting,
    /// The turn is ending: the message needs a turn of its own.
    TooLate,
}

/// What the runner reports while a turn runs.
#[derive(Debug)]
pub enum RunnerEvent {
    /// An event of the agent.
    Agent(AgentEvent),
    /// Nothing was reported for [`HEARTBEAT_INTERVAL`]; the receiver can renew its typing status.
    Heartbeat,
    /// The agent waits for [`Control::Answer`], because the policy wants people to decide. The second field names the
    /// rule that says so. Only the total time limit applies meanwhile.
    PermissionRequested(PermissionRequest, String),
    /// The policy has decided a request without people. The last field names the rule.
    PermissionDecided(PermissionRequest, Decision, String),
    /// The agent no longer waits for the answer to the request with this id.
    PermissionWithdrawn(String),
    /// What happened to a steering message.
    Steered {
        /// [`SteeringMessage::id`].
        id: String,
        /// What happened to it.
        outcome: SteerOutcome,
    },
}
