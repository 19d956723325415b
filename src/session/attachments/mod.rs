//! Files that come with messages: fetched, stored in the inbox, described in the prompt.

pub(crate) mod download;
pub(crate) mod inbox;
