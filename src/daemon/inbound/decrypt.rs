//! Encrypted messages. See ENCRYPTION in wtt-connect-protocol(7).

use crate::daemon::context::Context;
use crate::wire::attachment;
use crate::wire::message::Message;

/// An encrypted message as it was written. None: it is not encrypted, or cannot be opened and is used as it is.
pub(super) fn decrypted(cx: &Context, message: &Message) -> Option<Message> {
    let key = cx.shared.e2e.as_ref().filter(|_| message.encrypted)?;
    let mut opened = message.clone();
    opened.content = key.open(&message.content)?;
    opened.media = attachment::in_text(&opened.content);
    for media in &message.media {
        attachment::add(&mut opened.media, media.clone());
    }
    // a turn that is deferred is decoded from this again
    opened.source["content"] = opened.content.as_str().into();
    Some(opened)
}
