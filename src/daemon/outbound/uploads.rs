//! Files on their way out: two threads send them, so that a large one holds neither replies nor a small file back.
//!
//! Two kinds of work come here: what follows a reply (a follow-up of the outbox), and what a client requests over the
//! control socket (`upload-file`). The threads decide nothing but how an upload ends; its card goes through the outbox.

use crate::daemon::control::UploadRequest;
use crate::daemon::control::reply::reply as send_reply;
use crate::daemon::event::Event;
use crate::daemon::outbound::http_call::{HttpOutcome, HttpPurpose};
use crate::daemon::outbound::upload_waiters::FinishedUpload;
use crate::http::Client;
use crate::http::fetch::Fetcher;
use crate::http::file_upload::UploadFailure;
use crate::secret::Secret;
use crate::session::Shared;
use crate::session::file_upload;
use crate::session::file_upload::{FileSender, UploadTarget};
use crate::session::messages::{Lang, Msg};
use crate::session::speech::synthesize;
use crate::session::task::TaskLink;
use crate::store::outbox::{OutboxEntry, UPLOAD_KEY_PREFIX};
use crate::store::upload::Upload;
use crate::sys::thread;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::outbound_text;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Threads: one for a file that takes long, one for the others.
const THREADS: usize = 2;
/// Uploads that may wait; further requests are refused for the moment.
const QUEUE: usize = 64;
/// A file is given up after this many calls in a row with an unknown outcome: four minutes with the pauses between them.
/// Its requester gets an answer then, and a task that waits for its files goes on.
const ATTEMPTS_MAX: u32 = 7;
/// How often progress is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A requester that does not read its answers within this time is treated as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// A piece of work.
#[derive(Debug)]
enum UploadWork {
    /// A follow-up of the outbox, and how often its outcome was unknown.
    Entry(HttpPurpose, Box<Upload>, u32),
    /// The command `upload-file`.
    Requested(Box<UploadJob>),
}

/// Files that a client of the control socket wants sent, and what their card belongs to.
#[derive(Debug)]
pub(crate) struct UploadJob {
    /// What is asked for.
    pub(crate) request: UploadRequest,
    /// The connection to the client.
    pub(crate) back: UnixStream,
    /// The task of the topic.
    pub(crate) task_id: Option<String>,
    /// The turn that carries the task out now, if the request comes from it.
    pub(crate) turn: Option<Arc<TaskLink>>,
    /// The topic's running turn answers an encrypted message; the language of the warning about that.
    pub(crate) encrypted: Option<Lang>,
}

/// The hub's side.
#[derive(Debug)]
pub(crate) struct Uploads {
    events: Sender<Event>,
    work: Option<Sender<UploadWork>>,
}

impl Uploads {
    /// Nothing is started yet.
    pub(crate) fn new(events: Sender<Event>) -> Uploads {
        Uploads { events, work: None }
    }

    /// Has an answer spoken that an earlier run has not; its file goes out like any other.
    pub(crate) fn speak_on(&self, shared: &Arc<Shared>, entry: OutboxEntry) {
        let events = self.events.clone();
        let report = move |event| drop(events.send(Event::Session(event)));
        synthesize::resume_synthesis(shared, entry, Box::new(report));
    }

    /// Sends a file of the outbox. `attempts`: calls in a row with an unknown outcome. False if no thread could be
    /// started.
    pub(crate) fn send_entry(
        &mut self,
        shared: &Arc<Shared>,
        purpose: HttpPurpose,
        upload: Upload,
        attempts: u32,
    ) -> bool {
        let work = self.work(shared);
        work.is_some_and(|work| work.send(UploadWork::Entry(purpose, Box::new(upload), attempts)).is_ok())
    }

    /// Sends the files of a request; the threads answer it. `may_send`: there is room for their cards.
    pub(crate) fn send_requested(&mut self, shared: &Arc<Shared>, job: UploadJob, may_send: bool) {
        match self.work(shared) {
            Some(work) if work.len() < QUEUE && may_send => {
                // the threads live as long as this sender
                let _ = work.send(UploadWork::Requested(Box::new(job)));
            }
            _ => {
                let busy = json!({ "error": "it is ending, or too many files wait to be sent; try again in a minute" });
                send_reply(job.back, &busy);
            }
        }
    }

    /// The way to the threads, which the first call starts; none when the system has no thread left.
    fn work(&mut self, shared: &Arc<Shared>) -> Option<&Sender<UploadWork>> {
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

/// Works until the hub is gone.
fn run(shared: &Shared, inbox: &Receiver<UploadWork>, events: &Sender<Event>) {
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
                staging: &shared.staging,
                sent_files: &shared.sent_files,
                service: base,
            }),
            (Err(why), _) | (_, Err(why)) => Err(UploadFailure::from(why.clone())),
        };
        match work {
            UploadWork::Entry(purpose, upload, attempts) => {
                let outcome = send_entry(shared, post.as_ref(), &upload, attempts, events);
                let _ = events.send(Event::HttpOutcome(purpose, outcome));
            }
            UploadWork::Requested(job) => send_requested(shared, post.as_ref(), *job, events),
        }
    }
}

/// Sends the files of a request; the hub posts the card.
fn send_requested(
    shared: &Shared,
    post: Result<&FileSender<'_>, &UploadFailure>,
    job: UploadJob,
    events: &Sender<Event>,
) {
    let UploadJob { request, back, task_id, turn, encrypted } = job;
    let mut requester = UploadRequester::new(back);
    let place = UploadTarget { topic_id: &request.topic_id, task_id: task_id.as_deref(), lang: Lang::En };
    let row_of_turn = |row: Value| {
        if let Some(link) = &turn {
            link.add_file(row);
        }
    };
    match copy_and_send(shared, post, &request, place, &mut requester, events, row_of_turn) {
        Ok(UploadedFile { key, mut card, answer }) => {
            if let Some(lang) = encrypted {
                card.push_str(&format!("\n\n{}", Msg::InTheClear.to(lang, &[])));
            }
            let (topic_id, back) = (request.topic_id, requester.stream);
            let finished = FinishedUpload { key, topic_id, card, answer, back };
            let _ = events.send(Event::FinishedUpload(Box::new(finished)));
        }
        Err(why) => {
            requester.send_line(&json!({ "error": why }));
        }
    }
}

/// Sends a file of the outbox. What it yields: texts for the topic, and a row for the task.
fn send_entry(
    shared: &Shared,
    post: Result<&FileSender<'_>, &UploadFailure>,
    upload: &Upload,
    attempts: u32,
    events: &Sender<Event>,
) -> HttpOutcome {
    let mut pace = ProgressPace::default();
    let sent = post.map_err(UploadFailure::clone).and_then(|post| {
        post.send(upload, &mut |n| {
            if pace.is_due() {
                let _ = events.send(Event::Uploading(upload.topic_id.clone(), progress(upload, n)));
            }
        })
    });
    match sent {
        Ok(sent) => {
            shared.staging.remove(&upload.staged.name);
            log::info!(target: "uploads", "sent {} ({} bytes)", upload.staged.origin, upload.staged.size);
            let row = row(upload, &sent.url);
            HttpOutcome::Accepted(json!({ "texts": [sent.card], "row": row }))
        }
        Err(UploadFailure { is_final, why }) if is_final || attempts >= ATTEMPTS_MAX => {
            log::warn!(target: "uploads", "{} is given up: {why}", upload.staged.origin);
            HttpOutcome::Accepted(json!({ "texts": given_up(shared, upload, &why) }))
        }
        Err(UploadFailure { why, .. }) => HttpOutcome::Unknown(format!("{}: {why}", upload.name)),
    }
}

/// A file as it stands among the artifacts of a task.
fn row(upload: &Upload, url: &str) -> Value {
    json!({ "title": upload.title, "name": upload.name, "url": url, "mime_type": upload.mime,
        "size": upload.staged.size, "sha256": upload.staged.sha256 })
}

/// What people read instead of a card. An answer that should have been a file goes in pieces.
fn given_up(shared: &Shared, upload: &Upload, why: &str) -> Vec<String> {
    let mut text = String::new();
    if upload.replaces_text
        && let Ok(mut file) = shared.staging.open(&upload.staged.name)
        && file.read_to_string(&mut text).is_ok()
    {
        return outbound_text::chunk(&text, CHUNK_CHARS);
    }
    let lang = Lang::stored(upload.in_chinese);
    vec![file_upload::not_sent(
        lang,
        &upload.name,
        &format!("the upload failed ({})", why.trim_end_matches('.')),
    )]
}

/// Files that are with the service, whose card is not posted yet.
struct UploadedFile {
    /// Key of the card's outbox entry.
    key: String,
    card: String,
    /// The answer to the requester once the service has the card.
    answer: Value,
}

/// Copies and sends the files of a request. The error is a sentence for the requester.
fn copy_and_send(
    shared: &Shared,
    post: Result<&FileSender<'_>, &UploadFailure>,
    request: &UploadRequest,
    place: UploadTarget<'_>,
    requester: &mut UploadRequester,
    events: &Sender<Event>,
    on_sent: impl FnOnce(Value),
) -> Result<UploadedFile, String> {
    let failed = |error: UploadFailure| format!("the upload failed: {}", error.why);
    let post = post.map_err(|error| failed(error.clone()))?;
    let folder = Path::new(&request.folder);
    let upload = file_upload::prepare(&shared.staging, place, folder, &request.files, &request.title)?;
    let size = upload.staged.size;
    let sent = post.send(&upload, &mut |n| {
        if requester.pace.is_due() {
            requester.send_line(&json!({ "sent": n, "of": size }));
            let _ = events.send(Event::Uploading(request.topic_id.clone(), progress(&upload, n)));
        }
    });
    shared.staging.remove(&upload.staged.name);
    let sent = sent.map_err(failed)?;
    // a requester that is gone (a time limit, a stop) takes the upload for failed, and may repeat it
    if !requester.send_line(&json!({ "sent": size, "of": size })) {
        return Err("the requester is gone; no card is sent".to_owned());
    }
    on_sent(row(&upload, &sent.url));
    let answer = json!({ "url": sent.url, "card": sent.card, "size": size, "sha256": upload.staged.sha256 });
    Ok(UploadedFile {
        key: format!("{UPLOAD_KEY_PREFIX}{}", upload.staged.name),
        card: sent.card.clone(),
        answer,
    })
}

fn progress(upload: &Upload, sent: u64) -> String {
    format!("{}: {}%", upload.name, sent * 100 / upload.staged.size.max(1))
}

/// At once, and then not too often.
#[derive(Default)]
struct ProgressPace {
    reported_at: Option<Instant>,
}

impl ProgressPace {
    fn is_due(&mut self) -> bool {
        let due = self.reported_at.is_none_or(|reported_at| reported_at.elapsed() >= REPORT_INTERVAL);
        if due {
            self.reported_at = Some(Instant::now());
        }
        due
    }
}

/// The client that waits at the control socket; it may be gone.
struct UploadRequester {
    stream: UnixStream,
    pace: ProgressPace,
}

impl UploadRequester {
    fn new(stream: UnixStream) -> UploadRequester {
        let _ = stream.set_write_timeout(Some(WRITE_TIMEOUT));
        UploadRequester { stream, pace: ProgressPace::default() }
    }

    /// Sends a line. False if the client is gone.
    fn send_line(&mut self, line: &Value) -> bool {
        let said = self.stream.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = &said {
            log::debug!(target: "uploads", "the requester is gone: {error}");
        }
        said.is_ok()
    }
}
