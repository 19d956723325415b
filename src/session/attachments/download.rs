//! The files of a message, before its agent starts: fetched into the inbox, heard if they are speech, named in the text.
//!
//! Fetching is done by a thread of its own, so that a stop need not wait for somebody's server. What could not be had is
//! told to the agent (in the text) and to the user (below the reply); it never costs the message.

use crate::agent::PromptImage;
use crate::agent::runner::Control;
use crate::http::fetch::Fetcher;
use crate::session::attachments::inbox;
use crate::session::interruptible::{StoppedWhileWaiting, receive_or_stop};
use crate::session::messages::{Lang, Msg, kept};
use crate::session::shared::Shared;
use crate::sys::thread;
use crate::text;
use crate::wire::attachment::{self, Media, MediaKind};
use crate::wire::inbound_text;
use crate::wire::intake::Job;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A server that says nothing for so long is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Names and reasons in texts are labels.
const LABEL_CHARS: usize = 120;
/// Failures that the user is told one by one.
const MAX_FAILURES_LISTED: usize = 5;

/// What has become of the files of a message.
pub(crate) struct DownloadedMessage<'j> {
    /// The message with a text that says where they are.
    pub(crate) job: Cow<'j, Job>,
    /// The pictures, for agents that take them.
    pub(crate) images: Vec<PromptImage>,
    /// What the user must be told below the reply; empty when all went well.
    pub(crate) remark: String,
}

/// One file that is here.
struct StoredAttachment {
    path: PathBuf,
    size: u64,
    media_type: String,
}

/// Fetches what came with a message. `tell` is for the status.
pub(crate) fn download_all<'j>(
    shared: &Shared,
    job: &'j Job,
    lang: Lang,
    control: &Receiver<Control>,
    tell: &mut dyn FnMut(String),
) -> Result<DownloadedMessage<'j>, StoppedWhileWaiting> {
    if job.media.is_empty() {
        return Ok(DownloadedMessage { job: Cow::Borrowed(job), images: Vec::new(), remark: String::new() });
    }
    let root = &shared.config.inbox_dir;
    inbox::evict_old(root);
    let place = inbox::folder(root, &job.key)
        .map_err(|e| format!("the inbox {} cannot be used: {}", root.display(), crate::error::reason(&e)));
    let config = &shared.config;
    let fetcher = Fetcher::new(
        &config.base_url,
        config.http_token_now(),
        config.ca_file.as_deref(),
        &config.media_hosts,
    );
    let ready = place.and_then(|place| Ok((place, Arc::new(fetcher.map_err(|e| e.to_string())?))));
    let (mut said, mut images, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = inbox::MAX_MESSAGE_BYTES;
    for (number, media) in job.media.iter().enumerate() {
        let label = label(media);
        let kept = match &ready {
            Err(why) => Err(why.clone()),
            Ok(_) if number >= inbox::MAX_FILES => Err(format!("only {} are taken", inbox::MAX_FILES)),
            Ok((place, fetcher)) => {
                let (number, of) = ((number + 1).to_string(), job.media.len().to_string());
                let shown = kept(lang, &label);
                let mut tell = |size: u64| {
                    tell(Msg::Receives.to(lang, &[&shown, &number, &of, &mebibytes(size)]));
                };
                spawn_download(fetcher, media, place, left.min(inbox::MAX_FILE_BYTES), control, &mut tell)?
            }
        };
        let words = match kept {
            Ok(kept) => {
                left -= kept.size;
                log::debug!(target: "session", "received {} ({} bytes)", kept.path.display(), kept.size);
                let path = kept.path.display();
                let is_image = inbox::image_type(&kept.path);
                images.extend(is_image.map(|media_type| PromptImage {
                    path: kept.path.clone(),
                    media_type: media_type.to_owned(),
                    data: None,
                }));
                let heard = is_speech(media, &kept).then(|| {
                    crate::session::speech::transcribe::transcribe_file(
                        shared, &kept.path, lang, control, tell,
                    )
                });
                match heard.transpose()? {
                    Some(Ok(Some(words))) => format!(
                        "[{label}, {path}; transcript by a machine:]\n{words}\n[end of the transcript]"
                    ),
                    Some(Err(why)) => {
                        log::warn!(target: "session", "speech was not understood: {why}");
                        failed.push((Msg::NotHeard, label.clone(), why.clone()));
                        format!("[{label}: {path}; it could not be transcribed: {why}]")
                    }
                    Some(Ok(None)) | None => format!("[{label}: {path}]"),
                }
            }
            Err(why) => {
                log::warn!(target: "session", "a file of a message in {} was not received: {why}", job.scope);
                failed.push((Msg::NotReceived, label.clone(), why.clone()));
                format!("[{label} could not be fetched: {why}]")
            }
        };
        said.push((media, words));
    }
    Ok(DownloadedMessage {
        job: Cow::Owned(append_file_list(job, &said)),
        images,
        remark: remark(lang, &failed),
    })
}

/// A size in MiB, with one decimal.
fn mebibytes(size: u64) -> String {
    format!("{:.1}", size as f64 / f64::from(1 << 20))
}

/// `image “a.png”`.
fn label(media: &Media) -> String {
    let name = text::truncate(&text::one_line(&media.name), LABEL_CHARS);
    let word = media.kind.word();
    if name.is_empty() { word.to_owned() } else { format!("{word} “{name}”") }
}

fn is_speech(media: &Media, kept: &StoredAttachment) -> bool {
    media.kind == MediaKind::Audio || (media.kind == MediaKind::File && kept.media_type.starts_with("audio/"))
}

fn remark(lang: Lang, failed: &[(Msg, String, String)]) -> String {
    let mut out = String::new();
    for (say, label, why) in failed.iter().take(MAX_FAILURES_LISTED) {
        out.push_str("\n\n");
        out.push_str(&say.to(lang, &[&kept(lang, label), &kept(lang, why)]));
    }
    if failed.len() > MAX_FAILURES_LISTED {
        out.push_str("\n\n");
        out.push_str(&Msg::AndMore.to(lang, &[&(failed.len() - MAX_FAILURES_LISTED).to_string()]));
    }
    out
}

/// The message with each token replaced by what became of its file, and the other files named at its end.
fn append_file_list(job: &Job, said: &[(&Media, String)]) -> Job {
    let mut job = job.clone();
    let words = |media: &Media| {
        let known = said.iter().find(|(known, _)| known.url == media.url);
        known.map_or_else(|| format!("[{}]", label(media)), |(_, words)| words.clone())
    };
    let in_text = attachment::tokens(&job.text);
    let mut end = String::new();
    for (media, words) in
        said.iter().filter(|(media, _)| !in_text.iter().any(|(_, known)| known.url == media.url))
    {
        log::trace!(target: "session", "named at the end: {}", media.url);
        end.push_str(&format!("\n\n{words}"));
    }
    if !end.is_empty() {
        end.insert_str(0, "\n\nSent along, with this message or just before it:");
    }
    // nothing but files, or speech that says it all
    let bare = attachment::replace(&job.instruction, |_| String::new());
    let only = inbound_text::is_invisible(&bare)
        && !said.iter().any(|(_, words)| words.contains("transcript by a machine"));
    if only {
        end.push_str(
            "\n\n(The message has no other text. Look at what was sent and answer what it asks. If it asks nothing, say \
             briefly what it shows, and ask what is wanted.)",
        );
    }
    job.text = (attachment::replace(&job.text, words) + &end).trim().to_owned();
    job.instruction = (attachment::replace(&job.instruction, words) + &end).trim().to_owned();
    job
}

/// What the fetching thread tells.
enum DownloadEvent {
    Size(u64),
    Done(Result<StoredAttachment, String>),
}

/// One file. The outer error: the turn is stopped.
fn spawn_download(
    fetcher: &Arc<Fetcher>,
    media: &Media,
    folder: &Path,
    limit: u64,
    control: &Receiver<Control>,
    tell: &mut dyn FnMut(u64),
) -> Result<Result<StoredAttachment, String>, StoppedWhileWaiting> {
    tell(0);
    let (tx, told) = unbounded();
    let (fetcher, media, folder) = (fetcher.clone(), media.clone(), folder.to_owned());
    let body =
        move || drop(tx.send(DownloadEvent::Done(download_one(&fetcher, &media, &folder, limit, &tx))));
    if let Err(e) = thread::spawn("fetch", body) {
        return Ok(Err(format!("no thread could be started: {e}")));
    }
    loop {
        match receive_or_stop(&told, control, STALL_TIMEOUT)? {
            Ok(DownloadEvent::Size(size)) => tell(size),
            Ok(DownloadEvent::Done(done)) => return Ok(done),
            // the thread goes when its server speaks again, or its time is over, and leaves nothing
            Err(_) => return Ok(Err(format!("nothing came for {} seconds", STALL_TIMEOUT.as_secs()))),
        }
    }
}

fn download_one(
    fetcher: &Fetcher,
    media: &Media,
    folder: &Path,
    limit: u64,
    tx: &Sender<DownloadEvent>,
) -> Result<StoredAttachment, String> {
    let incoming = fetcher.open(&media.url).map_err(|e| e.to_string())?;
    let media_type = incoming.media_type.clone();
    let mut name = attachment::safe_name(&media.name, &media.url);
    if !name.contains('.') {
        let ending = EXTENSIONS_BY_MEDIA_TYPE
            .iter()
            .find(|(known, _)| *known == media_type)
            .map_or("", |(_, ending)| ending);
        name.push_str(ending);
    }
    let (path, size) =
        inbox::store(incoming, folder, &name, limit, &mut |size| tx.send(DownloadEvent::Size(size)).is_ok())?;
    Ok(StoredAttachment { path, size, media_type })
}

/// Endings for files that are named without one: agents and recognisers go by them.
const EXTENSIONS_BY_MEDIA_TYPE: [(&str, &str); 12] = [
    ("image/png", ".png"),
    ("image/jpeg", ".jpg"),
    ("image/gif", ".gif"),
    ("image/webp", ".webp"),
    ("audio/mpeg", ".mp3"),
    ("audio/wav", ".wav"),
    ("audio/x-wav", ".wav"),
    ("audio/ogg", ".ogg"),
    ("audio/webm", ".webm"),
    ("audio/mp4", ".m4a"),
    ("application/pdf", ".pdf"),
    ("text/plain", ".txt"),
];
