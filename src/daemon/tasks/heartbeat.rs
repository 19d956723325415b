//! The sign of life of a task's run: a line in its topic every minute, which every UI hides (confirmed, see TASKS in
//! wtt-connect-protocol(7)).
//!
//! Chats have none: the service stores each line for ever. It goes with the status that a live turn repeats by itself.

use crate::daemon::hub::Hub;
use crate::sys::time;
use crate::text;
use crate::wire::intake::Scope;
use crate::wire::outgoing::{self, Status};
use std::time::Instant;

/// As much of the last status as a line holds.
const ACTION_CHARS: usize = 160;

impl Hub {
    /// A status of a topic goes out; once in a while the sign of life goes with it.
    pub(crate) fn beat(&mut self, topic: &str, status: &Status, now: Instant) {
        let Some(task_id) = self.tasks.of_topic(topic) else { return };
        let scope = Scope::Task(task_id.to_owned());
        let Some(began) = self.sessions.run_began(&scope) else { return };
        let every = self.tasks.pace.beat;
        if !self.board.beat(topic, now, every) {
            return;
        }
        let action = format!("{}:{}", status.kind.as_str(), text::one_line(&status.text).replace('|', "/"));
        let line = format!(
            "[{}] | 状态=doing | 动作={} | elapsed={}s | queue_depth={} | source=wtt-connect | session={scope} | \
             inflight=1 | 心跳={}s",
            time::rfc3339(time::now_ms()),
            text::truncate(&action, ACTION_CHARS),
            began.elapsed().as_secs(),
            self.sessions.turns(&scope).count().saturating_sub(1),
            every.as_secs(),
        );
        let id = self.requests.untracked("progress");
        self.net.send(outgoing::progress(&id, topic, &line));
    }
}
