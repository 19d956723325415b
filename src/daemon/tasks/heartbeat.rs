//! The heartbeat of a task's run: a line in its topic every minute, which every UI hides (confirmed, see TASKS in
//! wtt-connect-protocol(7)).
//!
//! Chats have none: the service stores each line for ever. It goes with the status that a live turn repeats by itself.

use super::Tasks;
use crate::daemon::context::Context;
use crate::daemon::outbound::Outbound;
use crate::daemon::scheduler::Scheduler;
use crate::sys::time;
use crate::text;
use crate::wire::intake::Scope;
use crate::wire::outgoing::{self, TypingStatus};
use std::time::Instant;

/// As much of the last status as a line holds.
const ACTION_CHARS: usize = 160;

impl Tasks {
    /// A status of a topic goes out; once in a while the heartbeat of the topic's task goes with it.
    pub(crate) fn send_heartbeat(
        &self,
        cx: &mut Context,
        scheduler: &Scheduler,
        outbound: &mut Outbound,
        topic_id: &str,
        status: &TypingStatus,
        now: Instant,
    ) {
        let Some(task_id) = self.of_topic(topic_id) else { return };
        let scope = Scope::Task(task_id.to_owned());
        let Some(began) = scheduler.task_began(&scope) else { return };
        let every = self.timing.heartbeat;
        if !outbound.take_heartbeat(topic_id, now, every) {
            return;
        }
        let action = format!("{}:{}", status.kind.as_str(), text::one_line(&status.text).replace('|', "/"));
        let line = format!(
            "[{}] | 状态=doing | 动作={} | elapsed={}s | queue_depth={} | source=wtt-connect | session={scope} | \
             inflight=1 | 心跳={}s",
            time::rfc3339(time::now_ms()),
            text::truncate(&action, ACTION_CHARS),
            began.elapsed().as_secs(),
            scheduler.turns(&scope).count().saturating_sub(1),
            every.as_secs(),
        );
        cx.send_untracked("progress", |id| outgoing::progress(id, topic_id, &line));
    }
}
