//! Tasks: how one gets to an agent and its result back to the service (see TASKS in wtt-connect-protocol(7)), and what
//! follows a reply.

mod errands;
mod killing;
mod moving;
mod pulse;
mod running;
mod smoke;

use crate::support::daemon::Wtt;
use serde_json::Value;
use wtt_connect::local::service::ServiceEvent;

/// Waits for the patch number `n` (from 0) of a task; its body and the status of its answer.
fn patch(wtt: &Wtt, task_id: &str, n: usize) -> (Value, u16) {
    let mut met = 0;
    wtt.wait(&format!("patch {n} of the task"), |o| {
        let ServiceEvent::TaskPatch { task_id: of, body, status } = &o.event else { return None };
        met += usize::from(of == task_id);
        (of == task_id && met == n + 1).then(|| (body.clone(), *status))
    })
}
