//! `smoke-task`: creates a task, has it run, and watches it, all by HTTP.

use super::SmokeTest;
use crate::cli::table::CommandArgs;
use crate::error::{Error, Result};
use crate::http::token_policy::status_refuses_token;
use crate::http::{Client, HttpError};
use crate::wire::task::{self, Task, TaskStatus};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often the task is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Runs the test.
pub fn run(args: &CommandArgs) -> Result<()> {
    let smoke = SmokeTest::begin(args, "WTT_CONNECT_TASK_READY")?;
    let (config, me) = (&smoke.config, &smoke.config.agent_id);
    let client =
        Client::new(&config.base_url, config.http_token.clone(), config.ca_file.clone()).map_err(failed)?;
    let body = json!({
        "title": "wtt-connect smoke-task", "description": smoke.request(), "task_mode": "single", "priority": "P2",
        "status": "todo", "task_type": "general", "exec_mode": "default", "owner_agent_id": me,
        "runner_agent_id": me, "created_by": me,
    });
    let (_, made) = client.post_json("/tasks", &body).map_err(failed)?;
    let made =
        Task::decode(&made).ok_or_else(|| Error::Failed("the service did not return a task".into()))?;
    smoke.step(&format!("task {} for {me} at {}", made.id, config.base_url))?;
    let path = task::path(&made.id);
    match client.post_json(&format!("{path}/run"), &task::run_body(me)) {
        Ok(_) => smoke.step("the service started it")?,
        Err(HttpError::Status(404 | 405, _)) => {
            client.patch_json(&path, &task::doing_body(me)).map_err(failed)?;
            smoke.step("the service has no `run`; the status of the task was set to doing")?;
        }
        Err(error) => return Err(failed(error)),
    }
    let (status, row) = watch(&smoke, &client, &path)?;
    let text = |key: &str| row[key].as_str().filter(|text| !text.is_empty());
    let result = text("output").or(text("notes")).unwrap_or_default();
    if status == TaskStatus::Blocked {
        let why = crate::text::truncate(&crate::text::one_line(result), super::SHOWN_CHARS);
        return Err(Error::Failed(format!("the task is blocked: {why}")));
    }
    smoke.check(result)?;
    // Clears the board. If the service does not let an agent review, the task stays in review.
    let review = json!({ "action": "approve", "reviewer": me, "comment": "smoke-task" });
    let _ = client.post_json(&format!("{path}/review"), &review);
    Ok(())
}

/// Watches the task until it has a result, is blocked or is cancelled.
fn watch(smoke: &SmokeTest, client: &Client, path: &str) -> Result<(TaskStatus, Value)> {
    let mut last = String::new();
    let (_keep, tick) = crossbeam_channel::bounded::<()>(0);
    loop {
        let row = match client.get_json(path) {
            Ok((_, row)) => row,
            // the service may come back in time
            Err(HttpError::Offline(why)) if Instant::now() < smoke.until => {
                smoke.step(&why)?;
                Value::Null
            }
            Err(error) => return Err(failed(error)),
        };
        let inner = ["task", "data"].iter().find_map(|key| row.get(*key)).filter(|row| row.is_object());
        let row = inner.unwrap_or(&row).clone();
        let word = row["status"].as_str().unwrap_or_default();
        if !word.is_empty() && word != last {
            smoke.step(word)?;
            word.clone_into(&mut last);
        }
        let status = TaskStatus::of(word);
        match status {
            TaskStatus::Review | TaskStatus::Done | TaskStatus::Blocked => return Ok((status, row)),
            TaskStatus::Cancelled => return Err(Error::Failed("the task was cancelled".into())),
            TaskStatus::Todo | TaskStatus::Doing | TaskStatus::Other => {}
        }
        if Instant::now() >= smoke.until {
            return Err(smoke.timed_out("the task had no result"));
        }
        let _ = tick.recv_timeout(POLL_INTERVAL);
    }
}

fn failed(error: HttpError) -> Error {
    match error {
        HttpError::Offline(why) => Error::Unavailable(why),
        HttpError::Status(status, why) if status_refuses_token(status) => {
            Error::Config(format!("the service refused the token ({why}); put a valid one into the profile"))
        }
        other => Error::Failed(format!("the service answered {other}")),
    }
}
