//! Publishing by HTTP: one thread makes the blocking calls, one after the other, and tells the hub how each ended.
//!
//! For replies that the socket refuses (protocol 4.2, assumed: questions 16 and 21). The thread is started by the first of
//! them. What to do with an outcome is decided by `delivery.rs`.

use crate::config::Config;
use crate::daemon::hub::Event;
use crate::http::{Client, HttpError};
use crate::sys::thread;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::Value;

/// One publication.
#[derive(Debug)]
pub(super) struct Parcel {
    /// The outbox entry, and which part of it.
    pub(super) seq: u64,
    pub(super) part: usize,
    /// Path of the API.
    pub(super) path: String,
    /// What is posted.
    pub(super) body: Value,
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Posted {
    /// The service has it.
    Taken,
    /// It does not want it: why.
    Refused(String),
    /// Nobody knows: no answer, or one that speaks of trouble on its side.
    Unknown(String),
}

/// The hub's side.
#[derive(Debug)]
pub(super) struct Courier {
    events: Sender<Event>,
    parcels: Option<Sender<Parcel>>,
}

impl Courier {
    /// Nothing is started yet.
    pub(super) fn new(events: Sender<Event>) -> Courier {
        Courier { events, parcels: None }
    }

    /// Takes a parcel; its outcome comes as [`Event::Posted`]. False when no thread could be started.
    pub(super) fn carry(&mut self, config: &Config, parcel: Parcel) -> bool {
        if let Some(parcels) = &self.parcels {
            return parcels.send(parcel).is_ok();
        }
        let (parcels, inbox) = unbounded();
        let (base_url, token, ca_file) =
            (config.base_url.clone(), config.token.clone(), config.ca_file.clone());
        let events = self.events.clone();
        let started = thread::spawn("courier", move || {
            let client = Client::new(&base_url, token, ca_file);
            work(&inbox, &events, |parcel| match &client {
                Ok(client) => outcome(client.post_json(&parcel.path, &parcel.body)),
                Err(why) => Posted::Unknown(why.to_string()),
            });
        });
        self.parcels = started.is_ok().then_some(parcels);
        self.parcels.as_ref().is_some_and(|parcels| parcels.send(parcel).is_ok())
    }
}

fn work(inbox: &Receiver<Parcel>, events: &Sender<Event>, post: impl Fn(&Parcel) -> Posted) {
    for parcel in inbox {
        let posted = post(&parcel);
        if events.send(Event::Posted(parcel.seq, parcel.part, posted)).is_err() {
            return;
        }
    }
}

fn outcome(answer: Result<(u16, Value), HttpError>) -> Posted {
    match answer {
        Ok(_) => Posted::Taken,
        Err(HttpError::Status(status, why)) if status >= 500 || matches!(status, 408 | 429) => {
            Posted::Unknown(format!("HTTP {status}: {why}"))
        }
        Err(HttpError::Status(status, why)) => Posted::Refused(format!("HTTP {status}: {why}")),
        Err(HttpError::Offline(why)) => Posted::Unknown(why),
    }
}
