//! Who this agent is: its id and the names by which people mention it.

/// The identity of this agent, which decides which messages it answers.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// `WTT_AGENT_ID`.
    pub agent_id: String,
    /// From the auth reply; it is a mention alias as well.
    pub display_name: Option<String>,
    /// `WTT_CONNECT_AGENT_ALIASES`.
    pub aliases: Vec<String>,
}
