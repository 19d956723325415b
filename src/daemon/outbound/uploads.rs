//! Files on their way out: two threads send them, so that a large one holds neither replies nor a small file back.
//!
//! Two kinds of work come here: what follows a reply (an errand of the outbox), and what somebody asks for over the
//! control socket (`upload-file`). The threads decide nothing but how an upload ends; its card goes through the outbox.

use crate::agent::runner::CURRENT_TURN;
use crate::daemon::control::UploadRequest;
use crate::daemon::control::reply::reply as send_reply;
use crate::daemon::event::Event;
use crate::daemon::hub::Hub;
use crate::daemon::outbound::http_call::{HttpOutcome, HttpPurpose};
use crate::daemon::outbound::upload_waiters::FinishedUpload;
use crate::http::Client;
use crate::http::fetch::Fetcher;
use crate::http::file_upload::Failure;
use crate::secret::Secret;
use crate::session::Shared;
use crate::session::file_upload;
use crate::session::file_upload::{FileSender, UploadTarget};
use crate::session::messages::{Lang, Say};
use crate::session::speech::synthesize;
use crate::session::task::TaskLink;
use crate::session::turn::TurnId;
use crate::store::outbox::{ASKED, Entry};
use crate::store::upload::Upload;
use crate::sys::thread;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::intake::Scope;
use crate::wire::outbound_text;
use crate::wire::outgoing::{Status, StatusKind};
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Threads: one for a file that takes long, one for the others.
const THREADS: usize = 2;
/// Waiting for them; whoever asks for more is told to try later.
const QUEUE: usize = 64;
/// A file is given up after so many calls of which nobody knows the end: with the pauses between them four minutes. The
/// people who wait for it are told then, and a task that waits for its files goes on.
const TRIES: u32 = 7;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Whoever asked has to read what is said to him.
const PATIENCE: Duration = Duration::from_secs(5);

/// A piece of work.
#[derive(Debug)]
enum Work {
    /// An errand of the outbox, and how often nobody knew its end.
    Errand(HttpPurpose, Box<Upload>, u32),
    /// The command `upload-file`.
    Asked(UploadRequest, UnixStream, Turn),
}

/// What the file of a wish belongs to: the task of the topic, and the turn that carries it out now. The hub knows both; a
/// process that is left of an earlier turn says which one it served.
#[derive(Debug, Default)]
struct Turn {
    task_id: Option<String>,
    link: Option<Arc<TaskLink>>,
    /// It answers an encrypted message, in this language.
    sealed: Option<Lang>,
}

/// The hub's side.
#[derive(Debug)]
pub(crate) struct Uploads {
    events: Sender<Event>,
    work: Option<Sender<Work>>,
}

impl Uploads {
    /// Nothing is started yet.
    pub(crate) fn new(events: Sender<Event>) -> Uploads {
        Uploads { events, work: None }
    }

    /// Has an answer spoken that an earlier run has not; its file goes out like any other.
    pub(crate) fn speak_on(&self, shared: &Arc<Shared>, entry: Entry) {
        let events = self.events.clone();
        let tell = move |event| drop(events.send(Event::Session(event)));
        synthesize::resume_synthesis(shared, entry, Box::new(tell));
    }

    /// The way to the threads, which the first call starts; none when the system has no thread left.
    fn work(&mut self, shared: &Arc<Shared>) -> Option<&Sender<Work>> {
        if self.work.is_none() {
            let (work, inbox) = unbounded();
            for _ in 0..THREADS {
                let (shared, inbox, events) = (shared.clone(), inbox.clone(), self.events.clone());
                let started = thread::spawn("uploads", move || run(&shared, &inbox, &events));
                if started.is_ok() {
                    self.work = Some(work.clone());
                }
            }
        }
        self.work.as_ref()
    }
}

impl Hub {
    /// Has a file of the outbox sent. False when no thread could be started.
    pub(crate) fn upload(&mut self, tag: HttpPurpose, upload: Upload, tries: u32) -> bool {
        let work = self.uploads.work(&self.shared);
        work.is_some_and(|work| work.send(Work::Errand(tag, Box::new(upload), tries)).is_ok())
    }

    /// Has files sent that somebody asks for; the threads answer.
    pub(crate) fn send_files(&mut self, wish: UploadRequest, back: UnixStream) {
        let busy =
            json!({ "error": "it is ending, or too many files wait to be sent; try again in a minute" });
        let task_id = self.tasks.of_topic(&wish.topic_id).map(str::to_owned);
        let running = task_id.clone().and_then(|id| self.sessions.running(&Scope::Task(id)));
        let is_its = |turn: TurnId| {
            matches!(wish.turn.as_str(), "" | CURRENT_TURN) || wish.turn == self.shared.turn(turn)
        };
        let link = running.filter(|(turn, _)| is_its(*turn)).map(|(_, link)| link);
        match self.uploads.work(&self.shared) {
            Some(work) if work.len() < QUEUE && self.drain.is_none() && !self.delivery.is_full() => {
                // the threads live as long as this sender
                let topic = &wish.topic_id;
                let sealed = self.sessions.is_sealed(topic).then(|| self.tongues.of(topic));
                let _ = work.send(Work::Asked(wish, back, Turn { task_id, link, sealed }));
            }
            _ => {
                send_reply(back, &busy);
            }
        }
    }

    /// Shows how far a file is, where no agent is at work, whose status is worth more.
    pub(crate) fn uploading(&mut self, topic_id: &str, text: String) {
        if !self.board.is_live(topic_id) {
            let adapter = self.shared.config.adapter.clone();
            let text = Say::Sends.to(self.tongues.of(topic_id), &[&text]);
            let status = Status { text, kind: StatusKind::ArtifactUpload, adapter, model: None };
            self.send_status(topic_id, &status, Instant::now());
        }
    }
}

/// Works until the hub is gone.
fn run(shared: &Shared, inbox: &Receiver<Work>, events: &Sender<Event>) {
    let config = &shared.config;
    let base = &config.base_url;
    let fetcher = |token: Secret| Fetcher::new(base, token, config.ca_file.as_deref(), &config.media_hosts);
    let token = config.http_token_now();
    let client = Client::new(base, token.clone(), config.ca_file.clone());
    let mut fetcher_now = fetcher(token);
    for work in inbox.iter() {
        // there may be a new token in the profile
        let token = config.http_token_now();
        if client.as_ref().is_ok_and(|client| client.replace_token(token.clone())) {
            fetcher_now = fetcher(token);
        }
        let post = match (&client, &fetcher_now) {
            (Ok(client), Ok(fetcher)) => Ok(FileSender {
                client,
                fetcher,
                shelf: &shared.shelf,
                ledger: &shared.ledger,
                service: base,
            }),
            (Err(why), _) | (_, Err(why)) => Err(Failure::from(why.clone())),
        };
        match work {
            Work::Errand(tag, upload, tries) => {
                let posted = errand(shared, post.as_ref(), &upload, tries, events);
                let _ = events.send(Event::HttpOutcome(tag, posted));
            }
            Work::Asked(wish, back, turn) => {
                let mut back = Asker::new(back);
                match asked(shared, post.as_ref(), &wish, &turn, &mut back, events) {
                    Ok((key, card, answer)) => {
                        let (topic_id, back) = (wish.topic_id, back.stream);
                        let filed = FinishedUpload { key, topic_id, card, answer, back };
                        let _ = events.send(Event::FinishedUpload(Box::new(filed)));
                    }
                    Err(why) => {
                        back.say(&json!({ "error": why }));
                    }
                }
            }
        }
    }
}

/// Sends a file of the outbox. What it yields: texts for the topic, and a row for the task.
fn errand(
    shared: &Shared,
    post: Result<&FileSender<'_>, &Failure>,
    upload: &Upload,
    tries: u32,
    events: &Sender<Event>,
) -> HttpOutcome {
    let mut pace = Pace::default();
    let sent = post.map_err(Failure::clone).and_then(|post| {
        post.send(upload, &mut |n| {
            if pace.is_due() {
                let _ = events.send(Event::Uploading(upload.topic_id.clone(), progress(upload, n)));
            }
        })
    });
    match sent {
        Ok(sent) => {
            shared.shelf.discard(&upload.copied.copy);
            log::info!(target: "uploads", "sent {} ({} bytes)", upload.copied.from, upload.copied.size);
            let row = row(upload, &sent.url);
            HttpOutcome::Taken(json!({ "texts": [sent.card], "row": row }))
        }
        Err(Failure { is_final, why }) if is_final || tries >= TRIES => {
            log::warn!(target: "uploads", "{} is given up: {why}", upload.copied.from);
            HttpOutcome::Taken(json!({ "texts": given_up(shared, upload, &why) }))
        }
        Err(Failure { why, .. }) => HttpOutcome::Unknown(format!("{}: {why}", upload.name)),
    }
}

/// A file as it stands among the artifacts of a task.
fn row(upload: &Upload, url: &str) -> Value {
    json!({ "title": upload.title, "name": upload.name, "url": url, "mime_type": upload.mime,
        "size": upload.copied.size, "sha256": upload.copied.hash })
}

/// What people read instead of a card. An answer that should have been a file goes in pieces.
fn given_up(shared: &Shared, upload: &Upload, why: &str) -> Vec<String> {
    let mut text = String::new();
    if upload.instead
        && let Ok(mut file) = shared.shelf.file(&upload.copied.copy)
        && file.read_to_string(&mut text).is_ok()
    {
        return outbound_text::chunk(&text, CHUNK_CHARS);
    }
    let lang = Lang::stored(upload.zh);
    vec![file_upload::not_sent(
        lang,
        &upload.name,
        &format!("the upload failed ({})", why.trim_end_matches('.')),
    )]
}

/// Copies and sends what somebody asks for: the key, the card, and what he is told when the service has taken it.
fn asked(
    shared: &Shared,
    post: Result<&FileSender<'_>, &Failure>,
    wish: &UploadRequest,
    turn: &Turn,
    back: &mut Asker,
    events: &Sender<Event>,
) -> Result<(String, String, Value), String> {
    let failed = |error: Failure| format!("the upload failed: {}", error.why);
    let post = post.map_err(|error| failed(error.clone()))?;
    let place = UploadTarget { topic_id: &wish.topic_id, task_id: turn.task_id.as_deref(), lang: Lang::En };
    let upload =
        file_upload::prepare(&shared.shelf, place, Path::new(&wish.folder), &wish.files, &wish.title)?;
    let size = upload.copied.size;
    let sent = post.send(&upload, &mut |n| {
        if back.pace.is_due() {
            back.say(&json!({ "sent": n, "of": size }));
            let _ = events.send(Event::Uploading(wish.topic_id.clone(), progress(&upload, n)));
        }
    });
    shared.shelf.discard(&upload.copied.copy);
    let sent = sent.map_err(failed)?;
    // Whoever has gone (a time limit, a stop) believes that it did not work, and may ask again.
    if !back.say(&json!({ "sent": size, "of": size })) {
        return Err("whoever asked has gone; no card is sent".to_owned());
    }
    if let Some(link) = &turn.link {
        link.add_file(row(&upload, &sent.url));
    }
    let answer = json!({ "url": sent.url, "card": sent.card, "size": size, "sha256": upload.copied.hash });
    let mut card = sent.card.clone();
    if let Some(lang) = turn.sealed {
        card.push_str(&format!("\n\n{}", Say::InTheClear.to(lang, &[])));
    }
    Ok((format!("{ASKED}{}", upload.copied.copy), card, answer))
}

fn progress(upload: &Upload, sent: u64) -> String {
    format!("{}: {}%", upload.name, sent * 100 / upload.copied.size.max(1))
}

/// At once, and then not too often.
#[derive(Default)]
struct Pace {
    told: Option<Instant>,
}

impl Pace {
    fn is_due(&mut self) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }
}

/// Whoever waits at the control socket; may be gone.
struct Asker {
    stream: UnixStream,
    pace: Pace,
}

impl Asker {
    fn new(stream: UnixStream) -> Asker {
        let _ = stream.set_write_timeout(Some(PATIENCE));
        Asker { stream, pace: Pace::default() }
    }

    /// False when nobody listens any more.
    fn say(&mut self, line: &Value) -> bool {
        let said = self.stream.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = &said {
            log::debug!(target: "uploads", "nobody listens any more: {error}");
        }
        said.is_ok()
    }
}
