//! Messages on their way in: live ones, those that were missed, and attachments that arrive apart from their message.

pub(crate) mod catch_up;
pub(crate) mod intake;
pub(crate) mod late_attachments;
pub(crate) mod ping_pong;
