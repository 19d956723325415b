//! What is shown of permission requests and decisions: in `/status`, and to the command line.

use super::wording::decision_line;
use super::{PendingPermission, PermissionRequests};
use crate::daemon::context::Context;
use crate::session::messages::{Lang, Msg};
use crate::session::permissions::prompt;
use crate::wire::intake::Job;
use serde_json::{Value, json};
use std::time::Instant;

/// Decisions that `/status` shows.
const SHOWN_IN_CHAT: usize = 3;
/// Decisions that `status --json` shows.
const SHOWN: usize = 50;

impl PermissionRequests {
    /// What is open, for the command line.
    pub(crate) fn open_as_json(&self) -> Vec<Value> {
        let now = Instant::now();
        let as_json = |PendingPermission { id, asked, until, .. }: &PendingPermission| {
            json!({
                "id": id, "topic": asked.topic_id, "agent": asked.who, "tool": asked.ask.tool, "about": asked.ask.title,
                "rule": asked.rule, "seconds": until.saturating_duration_since(now).as_secs(),
            })
        };
        self.open.iter().map(as_json).collect()
    }

    /// Lines of `/status` in a topic: what is open, the last decisions, how much is allowed for the session.
    pub(crate) fn status_lines(&self, cx: &Context, job: &Job, lang: Lang) -> Vec<String> {
        let topic_id = job.topic_id.as_str();
        let mut lines = Vec::new();
        for open in self.open.iter().filter(|open| open.asked.topic_id == topic_id) {
            let title = prompt::escape_markdown(&open.asked.ask.title);
            lines.push(Msg::AskOpenRow.to(lang, &[&open.id, &title]));
        }
        let permits = &cx.store.state().permissions;
        let here = permits.decisions.iter().rev().filter(|row| row["topic"] == topic_id);
        lines.extend(
            here.take(SHOWN_IN_CHAT).map(|row| Msg::AskDecidedRow.to(lang, &[&decision_line(lang, row)])),
        );
        if let Some(grants) = permits.grants.get(&job.scope.to_string()) {
            lines.push(Msg::AskGrantsRow.to(lang, &[&grants.len().to_string()]));
        }
        lines
    }
}

/// The last decisions, the newest first.
pub(crate) fn last_decisions(cx: &Context) -> Vec<Value> {
    cx.store.state().permissions.decisions.iter().rev().take(SHOWN).cloned().collect()
}
