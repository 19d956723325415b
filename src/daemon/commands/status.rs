//! `/status` and `/queue`: what runs and what waits.

use crate::daemon::hub::Hub;
use crate::session::messages::{Lang, Say, kept};
use crate::session::routing;
use crate::store::state::SessionRow;
use crate::sys::time;
use crate::wire::intake::Job;

impl Hub {
    pub(crate) fn status_text(&self, job: &Job, lang: Lang) -> String {
        let config = &self.shared.config;
        let mut lines = vec![Say::OnThisHost.to(lang, &[env!("CARGO_PKG_VERSION")])];
        let mut mode = config.mode;
        match self.route(&mut job.clone()) {
            Ok(route) => {
                mode = route.mode;
                lines.push(
                    Say::Adapter
                        .to(lang, &[&route.adapter, &kept(lang, route.why), &config.adapters.join(", ")]),
                );
                let mut model = route.model.unwrap_or_else(|| Say::OwnDefault.to(lang, &[]));
                if let Some(note) = route.note {
                    model.push_str(&format!("; {}", kept(lang, &note)));
                }
                lines.push(Say::ModelRow.to(lang, &[&model]));
            }
            Err(why) => lines.push(Say::AdapterBad.to(lang, &[&kept(lang, &why)])),
        }
        lines.push(Say::ModeRow.to(lang, &[mode.name()]));
        lines.push(Say::Workdir.to(lang, &[&config.workdir.to_string_lossy()]));
        if let Some(since) = self.link.up_since {
            lines.push(Say::Connected.to(lang, &[&seconds(since.elapsed().as_secs())]));
        }
        let turns: Vec<_> = self.sessions.turns(&job.scope).collect();
        lines.push(match turns.iter().find_map(|t| t.began.map(|began| (t, began))) {
            Some((turn, began)) => {
                let say = if turn.stopping { Say::HereStopping } else { Say::HereRunning };
                let (for_, waiting) = (seconds(began.elapsed().as_secs()), (turns.len() - 1).to_string());
                say.to(lang, &[&turn.adapter, &kept(lang, turn.why), &for_, &waiting])
            }
            None => Say::HereIdle.to(lang, &[]),
        });
        let elsewhere = (self.sessions.count() - turns.len()).to_string();
        lines.push(Say::Elsewhere.to(lang, &[&elsewhere, &self.delivery.len().to_string()]));
        for (key, row) in self.store.state().sessions_of(&routing::scope_key(&job.scope)) {
            let (name, id) = known_by(key, row);
            lines.push(Say::SessionRow.to(lang, &[&name, &id]));
        }
        let here = job.scope.to_string();
        for (_, parked) in self.store.state().parked.iter().filter(|(_, parked)| parked.scope == here) {
            lines.push(Say::KeptRow.to(lang, &[&time::rfc3339(parked.until)]));
        }
        self.asks_lines(job, lang, &mut lines);
        lines.extend(self.store.notes().iter().map(|note| Say::Note.to(lang, &[note])));
        lines.join("\n")
    }

    pub(crate) fn queue_text(&self, job: &Job, lang: Lang) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut waiting = 0;
        for turn in self.sessions.turns(&job.scope) {
            if let Some(began) = turn.began {
                lines.push(Say::QueueRuns.to(lang, &[&seconds(began.elapsed().as_secs()), &turn.title]));
                continue;
            }
            if waiting == 0 {
                lines.push(Say::QueueHead.to(lang, &[]));
            }
            waiting += 1;
            lines.push(format!("{waiting}. {}", turn.title));
        }
        if lines.is_empty() { Say::QueueEmpty.to(lang, &[]) } else { lines.join("\n") }
    }
}

/// What people know a native session by: its agent with the model, and the beginning of its id.
pub(crate) fn known_by(key: &str, row: &SessionRow) -> (String, String) {
    let (mut name, model, effort) = routing::parts_of(key).unwrap_or_default();
    for part in [model, effort].into_iter().flatten() {
        name.push_str(&format!(" {part}"));
    }
    (name, row.native().unwrap_or_default().chars().take(SHORT_ID).collect())
}

/// As much of an id as tells sessions apart. Those that begin with the time need more than eight.
const SHORT_ID: usize = 13;

fn seconds(secs: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(secs)).to_string()
}
