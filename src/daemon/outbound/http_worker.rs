//! HTTP for the hub: threads make the blocking calls, one after the other, and report to the hub how each ended.
//!
//! For replies that the socket refuses (assumed, see HTTP in wtt-connect-protocol(7)), and for what follows a reply.
//! Each line of work has a thread while there is work. What to do with an outcome is decided by `delivery/`.

use crate::daemon::event::Event;
use crate::daemon::outbound::http_call::{HttpCall, HttpOutcome, HttpPurpose};
use crate::http::{Client, HttpError};
use crate::session::Shared;
use crate::sys::thread;
use crate::wire::task;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// The lines of work, by the names of their threads: a slow one holds no other back.
const LINES: [&str; 2] = ["http", "follow-ups"];

/// Which line of work a call belongs to.
fn line_of(tag: &HttpPurpose) -> usize {
    match tag {
        HttpPurpose::Part { .. } => 0,
        HttpPurpose::FollowUp { .. } | HttpPurpose::Task { .. } => 1,
    }
}

type Parcel = (HttpPurpose, HttpCall);

/// The hub's side.
#[derive(Debug)]
pub(crate) struct HttpWorker {
    events: Sender<Event>,
    /// With the number of calls on their way; the thread ends when its sender goes.
    lines: [Option<(Sender<Parcel>, usize)>; LINES.len()],
    /// One for all lines: it remembers where the service serves its API.
    client: Arc<OnceLock<Result<Client, HttpError>>>,
}

impl HttpWorker {
    /// Nothing is started yet.
    pub(crate) fn new(events: Sender<Event>) -> HttpWorker {
        HttpWorker { events, lines: [const { None }; LINES.len()], client: Arc::default() }
    }

    /// Takes a call; its outcome comes as [`Event::HttpOutcome`]. False when no thread could be started.
    pub(crate) fn enqueue(&mut self, shared: &Arc<Shared>, tag: HttpPurpose, call: HttpCall) -> bool {
        let line = line_of(&tag);
        if self.lines[line].is_none() {
            let (parcels, inbox) = unbounded();
            let events = self.events.clone();
            let client = self.client.clone();
            let shared = shared.clone();
            let started = thread::spawn(LINES[line], move || {
                let client = client.get_or_init(|| {
                    let config = &shared.config;
                    Client::new(&config.base_url, config.http_token_now(), config.ca_file.clone())
                });
                work(&shared, client, &inbox, &events);
            });
            self.lines[line] = started.is_ok().then_some((parcels, 0));
        }
        let Some((parcels, under_way)) = &mut self.lines[line] else { return false };
        *under_way += 1;
        parcels.send((tag, call)).is_ok()
    }

    /// A call has come back.
    pub(crate) fn on_call_ended(&mut self, tag: &HttpPurpose) {
        let line = &mut self.lines[line_of(tag)];
        if let Some((_, under_way)) = line {
            *under_way = under_way.saturating_sub(1);
            if *under_way == 0 {
                *line = None;
            }
        }
    }
}

fn work(
    shared: &Shared,
    client: &Result<Client, HttpError>,
    inbox: &Receiver<Parcel>,
    events: &Sender<Event>,
) {
    for (tag, call) in inbox.iter() {
        let posted = match client {
            Ok(client) => {
                let current_token = || shared.config.http_token_now();
                let answer = client.retry_with_current_token(current_token, |client| perform(client, &call));
                report_refusal(shared, client, &answer);
                outcome(answer)
            }
            Err(why) => HttpOutcome::Unknown(why.to_string()),
        };
        if events.send(Event::HttpOutcome(tag, posted)).is_err() {
            return;
        }
    }
}

fn perform(client: &Client, call: &HttpCall) -> Result<(u16, Value), HttpError> {
    match call {
        HttpCall::Get { path } => client.get_json(path),
        HttpCall::Post { path, body } => client.post_json(path, body),
        HttpCall::PatchUnlessDone { path, body, since } => match client.get_json(path) {
            Ok((status, row)) if task::is_settled(&row, body, *since) => Ok((status, row)),
            Err(error @ HttpError::Offline(_)) => Err(error),
            // a call whose outcome is unknown is made once more
            _ => client.patch_json(path, body),
        },
        HttpCall::Patch { path, body } => client.patch_json(path, body),
    }
}

fn outcome(answer: Result<(u16, Value), HttpError>) -> HttpOutcome {
    match answer {
        Ok((_, answer)) => HttpOutcome::Accepted(answer),
        Err(HttpError::Status(status, why)) if is_for_later(status) => {
            HttpOutcome::Unknown(format!("HTTP {status}: {why}"))
        }
        Err(HttpError::Status(status, why)) => HttpOutcome::Refused(status, format!("HTTP {status}: {why}")),
        Err(HttpError::Offline(why)) => HttpOutcome::Unknown(why),
    }
}

/// Logs a refused token once: what it holds back is retried.
fn report_refusal(shared: &Shared, client: &Client, answer: &Result<(u16, Value), HttpError>) {
    if client.is_first_refusal(answer) {
        let remedy = shared.config.token_remedy();
        log::error!(target: "hub", "the service refuses the token by HTTP; what needs it is tried again; {remedy}");
    }
}

/// Trouble on the service's side, or with the token, which people can put right: no word on the call itself.
fn is_for_later(status: u16) -> bool {
    status >= 500 || matches!(status, 401 | 408 | 429)
}
