//! The session id that the connector stores for crush. Pure.

use crate::agent::adapter::is_uuid;

/// The name of the data directory and crush's own session id: `<uuid>:<uuid>`.
pub(super) fn split_session_id(id: &str) -> Option<(&str, &str)> {
    id.split_once(':').filter(|(directory, session)| is_uuid(directory) && is_uuid(session))
}
