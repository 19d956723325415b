//! The hub's answers to the command line: what `status` shows of a running connector, and what `restart` does to it.

use crate::agent::adapters;
use crate::agent::discovery::locate;
use crate::daemon::control::Request;
use crate::daemon::control::reply::{ControlRequest, reply};
use crate::daemon::hub::Hub;
use crate::sys::time;
use serde_json::{Value, json};
use std::time::Instant;

impl Hub {
    /// Answers; whoever asked may have gone.
    pub(crate) fn answer(&mut self, asked: ControlRequest) {
        let answer = match asked.request {
            Request::Status => {
                self.care.look_soon();
                self.status()
            }
            Request::Restart { now } => self.restart(now),
            Request::Upload(request) => return self.send_files(request, asked.back),
            Request::Approve(answer) => self.decide_on_host(true, answer.id.as_deref(), &answer.words),
            Request::Deny(answer) => self.decide_on_host(false, answer.id.as_deref(), &answer.words),
        };
        reply(asked.back, &answer);
    }

    /// Starts again when the running turns are over, or now. Messages that come meanwhile are kept on disk.
    fn restart(&mut self, now: bool) -> Value {
        if self.drain.is_some() {
            return json!({ "error": "it is ending already" });
        }
        let turns = self.sessions.count();
        self.care.again = true;
        if now {
            self.begin_drain(0);
        } else if turns > 0 {
            log::info!(target: "hub", "starting again when {turns} turn(s) are over");
        }
        json!({ "instance": self.instance(), "turns": if now { 0 } else { turns } })
    }

    /// Everything that only this process knows.
    fn status(&self) -> Value {
        let config = &self.shared.config;
        let (mut running, mut waiting): (Vec<Value>, usize) = (Vec::new(), 0);
        for (scope, turns) in self.sessions.all() {
            for turn in turns {
                match turn.began {
                    Some(began) => running.push(json!({
                        "session": scope.to_string(), "adapter": turn.adapter,
                        "seconds": began.elapsed().as_secs(), "stopping": turn.stopping,
                    })),
                    None => waiting += 1,
                }
            }
        }
        let parked = &self.store.state().parked;
        let next = parked.values().map(|parked| parked.until).min().map(time::rfc3339);
        let oldest = self.delivery.oldest();
        let last =
            self.care.last.as_ref().map(
                |(at, topic)| json!({ "at": wall(*at), "seconds": at.elapsed().as_secs(), "topic": topic }),
            );
        let mut problems: Vec<String> = self.store.notes().to_vec();
        if let Some(why) = &self.care.disk {
            problems.push(format!(
                "the disk refuses: {why}; replies and sessions are kept in memory until it does not"
            ));
        }
        if let Some((topic, why)) = self.delivery.unwanted() {
            problems.push(format!("the service refuses a reply in topic {topic}: {why}; it is tried again"));
        }
        let agents: Vec<Value> = config
            .adapters
            .iter()
            .filter_map(|name| adapters::find(name))
            .map(|spec| {
                let command = config.commands.get(spec.name).map(Vec::as_slice).unwrap_or_default();
                let found = locate::locate(spec, command).map(|program| program.path.display().to_string());
                let problem =
                    found.as_ref().err().map(|why| format!("{why}; {}", locate::remedy(spec, command)));
                json!({ "adapter": spec.name, "path": found.ok(), "problem": problem })
            })
            .collect();
        if self.full {
            problems.push(
                "the outbox is full: no new turn begins until the service takes some replies".to_owned(),
            );
        }
        json!({
            "agents": agents, "service": self.care.notify.manager(), "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(), "instance": self.instance(),
            "started": wall(self.care.started), "seconds": self.care.started.elapsed().as_secs(),
            "agent_id": self.me.agent_id, "display_name": self.me.display_name,
            "base_url": config.base_url, "adapter": config.adapter,
            "model": config.model, "mode": config.mode.name(), "workdir": config.workdir.display().to_string(),
            "link": self.link_status(), "last_message": last, "running": running, "waiting": waiting,
            "outbox": { "replies": self.delivery.len(), "oldest": oldest.map(time::rfc3339),
                "seconds": oldest.map(|at| (time::now_ms() - at).max(0) / 1000) },
            "parked": { "messages": parked.len(), "next": next },
            "asks": self.asks_open(), "decisions": self.decisions(),
            "restarting": self.care.again, "replaced": self.care.image.is_replaced(), "problems": problems,
        })
    }

    fn link_status(&self) -> Value {
        let link = &self.link;
        if let Some(since) = link.up_since {
            return json!({ "state": "connected", "problem": null, "since": wall(since), "seconds": since.elapsed().as_secs() });
        }
        let state = match (&link.last_error, link.refused) {
            (None, _) => "connecting",
            (_, true) => "refused",
            (_, false) => "retrying",
        };
        let left = link.retry_at.map(|at| at.saturating_duration_since(Instant::now()).as_secs());
        json!({ "state": state, "problem": link.last_error, "seconds": left })
    }

    /// Another one answers after a restart.
    fn instance(&self) -> &str {
        self.shared.owner.rsplit(':').next().unwrap_or_default()
    }
}

/// A moment of this process by the wall clock.
fn wall(at: Instant) -> String {
    let ago = i64::try_from(at.elapsed().as_millis()).unwrap_or(0);
    time::rfc3339(time::now_ms() - ago)
}
