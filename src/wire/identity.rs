//! Who this agent is: its id and the names by which people mention it.

/// Who this agent is, for gating.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// `WTT_AGENT_ID`.
    pub agent_id: String,
    /// Learnt from the auth reply; it is a mention alias as well.
    pub display_name: Option<String>,
    /// `WTT_CONNECT_AGENT_ALIASES`.
    pub aliases: Vec<String>,
}
