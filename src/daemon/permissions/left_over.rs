//! Permission requests that were open when the last run ended.

use super::wording::{closed_text, entry};
use crate::session::messages::Lang;
use crate::store::Store;
use crate::store::outbox::{Outbox, OutboxEntry, ReplyKind};
use crate::store::permissions::OpenPermissionRequest;
use crate::store::state::Record;

/// Closes them visibly, because no agent waits for them now. Adds their posts to `left`. The error is that of the disk.
pub(crate) fn close_left_over(
    store: &mut Store,
    outbox: &Outbox,
    left: &mut Vec<OutboxEntry>,
) -> std::io::Result<()> {
    let mut open: Vec<(String, OpenPermissionRequest)> = Vec::new();
    open.extend(store.state().permissions.requests.iter().map(|(id, ask)| (id.clone(), ask.clone())));
    // the post reaches the disk before the mark that it is open
    for post in left.iter().filter(|entry| entry.kind == ReplyKind::Question) {
        let id = post.key.strip_prefix("ask:").unwrap_or(&post.key);
        if !open.iter().any(|(known, _)| known == id) {
            open.push((
                id.to_owned(),
                OpenPermissionRequest {
                    topic_id: post.topic_id.clone(),
                    title: String::new(),
                    in_chinese: false,
                    ..OpenPermissionRequest::default()
                },
            ));
        }
    }
    for (id, ask) in open {
        let lang = Lang::stored(ask.in_chinese);
        let text = closed_text(lang, &id, "the connector was restarted; nothing was allowed", &ask.title);
        let entry = entry(outbox, &id, &ask.topic_id, &text, ReplyKind::Notice);
        outbox.put(&entry)?;
        left.push(entry);
        store.record(Record::PermissionRequestClosed { id });
    }
    store.commit()
}
