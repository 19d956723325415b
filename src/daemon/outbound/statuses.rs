//! What a topic shows of its work: typing frames with a status, and the lines that every UI hides from the feed.

use super::Outbound;
use crate::daemon::context::Context;
use crate::daemon::effect::{Effect, Effects, Urgency};
use crate::session::messages::Msg;
use crate::sys::time;
use crate::wire::assumed::TYPING_TTL_MS;
use crate::wire::outbound_text::{self, TaskStatusLine};
use crate::wire::outgoing::{self, StatusKind, TypingStatus};
use std::time::{Duration, Instant};

/// Progress is dropped while more than this waits for the socket; replies never are.
const BACKLOG_BYTES: usize = 8 * 1024 * 1024;

impl Outbound {
    /// Shows a status in a topic, now or when the throttle allows it. Returns it when it was sent now.
    pub(crate) fn show(
        &mut self,
        cx: &mut Context,
        topic_id: &str,
        status: TypingStatus,
        urgency: Urgency,
        now: Instant,
    ) -> Option<TypingStatus> {
        let status = match urgency {
            Urgency::Throttled => self.throttle.show(topic_id, status, now)?,
            Urgency::Immediate => {
                self.throttle.shown(topic_id, now);
                status
            }
            Urgency::Passing => status,
        };
        self.send_status(cx, topic_id, &status).then_some(status)
    }

    /// Statuses that the throttle held back and that are due.
    pub(crate) fn due_statuses(&mut self, now: Instant) -> Vec<(String, TypingStatus)> {
        self.throttle.due(now)
    }

    /// Sends a status frame, unless there is no connection or too much waits for it. Returns whether it was sent.
    pub(crate) fn send_status(&mut self, cx: &mut Context, topic_id: &str, status: &TypingStatus) -> bool {
        if !cx.is_connected() || cx.net.backlog_bytes() > BACKLOG_BYTES {
            return false;
        }
        cx.send_untracked("typing", |id| outgoing::typing_start(id, topic_id, TYPING_TTL_MS, status));
        true
    }

    /// Publishes a status as a line of the topic, where the settings want that and not too often. See PROGRESS in
    /// wtt-connect-protocol(7).
    pub(crate) fn publish_progress(
        &mut self,
        cx: &mut Context,
        topic_id: &str,
        task_id: Option<&str>,
        status: &TypingStatus,
        now: Instant,
    ) {
        if !cx.config().publish_progress || !self.throttle.line(topic_id, now) {
            return;
        }
        let kind = status.kind.as_str();
        let line = outbound_text::task_status_line(&TaskStatusLine {
            time: &time::rfc3339(time::now_ms()),
            status: "doing",
            action: &format!("{kind}:{}", status.text),
            task_id,
            topic_id,
            agent_id: &cx.identity.agent_id,
            kind,
        });
        cx.send_untracked("progress", |id| outgoing::progress(id, topic_id, &line));
    }

    /// Whether a heartbeat is due in a topic; counts it if so.
    pub(crate) fn take_heartbeat(&mut self, topic_id: &str, now: Instant, every: Duration) -> bool {
        self.throttle.beat(topic_id, now, every)
    }

    /// A file of a topic is on its way: shown where no agent is at work, whose status is worth more.
    pub(crate) fn on_upload_progress(&self, cx: &Context, topic_id: String, progress: &str) -> Effects {
        if self.throttle.is_live(&topic_id) {
            return Effects::none();
        }
        let text = Msg::Sends.to(cx.language_of(&topic_id), &[progress]);
        let adapter = cx.config().adapter.clone();
        let status = TypingStatus { text, kind: StatusKind::ArtifactUpload, adapter, model: None };
        Effect::ShowStatus { topic_id, status, urgency: Urgency::Passing }.into()
    }

    /// The turn of a topic is over: its next status is not throttled by what was shown before.
    pub(crate) fn forget_status(&mut self, topic_id: &str) {
        self.throttle.clear(topic_id);
    }

    /// Ends the topic's typing indicator, unless another turn is at work there, whose end will do so.
    pub(super) fn stop_typing(&self, cx: &mut Context, topic_id: &str) {
        if !self.throttle.is_live(topic_id) {
            cx.send_untracked("typing", |id| outgoing::typing_stop(id, topic_id));
        }
    }
}
