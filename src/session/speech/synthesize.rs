//! Text to speech: an answer that has gone out as text follows as sound, made by a program or by an address that speaks
//! OpenAI's speech interface. It never delays the next turn, and a failure costs nothing but the sound.

use crate::config::voice::{SpeechEndpoint, Synthesizer};
use crate::config::{Config, paths};
use crate::http::multipart::{self, FormPost};
use crate::session::attachments::inbox;
use crate::session::event::SessionEvent;
use crate::session::file_upload::UploadTarget;
use crate::session::messages::{Lang, Msg};
use crate::session::shared::Shared;
use crate::session::speech::transcribe;
use crate::session::user_program;
use crate::store::follow_up::FollowUp;
use crate::store::outbox::{OutboxEntry, ReplyKind};
use crate::store::staging::StagedFile;
use crate::store::upload::Upload;
use crate::sys::thread;
use crate::wire::intake::Job;
use crate::wire::spoken_text;
use serde_json::json;
use std::ffi::OsStr;
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Four minutes of speech on a small machine.
const SYNTHESIS_TIMEOUT: Duration = Duration::from_secs(240);
/// Answers spoken at a time: it takes a processor for each. Further ones stay text.
const MAX_PARALLEL: usize = 2;
/// So often one answer is begun, by as many runs of the daemon: one that has something to do with their ends is given up.
const MAX_ATTEMPTS: usize = 3;
/// Four minutes as WAV are about 20 MB.
const MAX_AUDIO_BYTES: u64 = 50 << 20;

static ACTIVE: AtomicUsize = AtomicUsize::new(0);

/// Where the entry that brings a sound is told.
pub type Tell = Box<dyn FnMut(SessionEvent) + Send>;

/// Speaks an answer, in a thread of its own, and tells of the outbox entry that brings the sound.
pub(crate) fn synthesize_reply(shared: &Arc<Shared>, job: &Job, lang: Lang, answer: &str, tell: Tell) {
    let text = spoken_text::spoken(answer);
    // the sound of an encrypted answer would be in the clear
    if text.is_empty() || job.encrypted || shared.config.speech.synthesizer.is_none() {
        return;
    }
    let (reply_to, parts) = (job.message_id.as_deref(), vec![text]);
    let mut entry = shared.outbox.new_entry(&job.key, &job.topic_id, reply_to, parts, ReplyKind::Speech);
    entry.follow_ups.push(FollowUp::Upload(UploadTarget::of(job, lang).upload(
        StagedFile::default(),
        "",
        "",
    )));
    resume_synthesis(shared, entry, tell);
}

/// The same for an answer of which an earlier run has left the text.
pub fn resume_synthesis(shared: &Arc<Shared>, mut entry: OutboxEntry, mut tell: Tell) {
    let active = ACTIVE.fetch_add(1, Ordering::Relaxed);
    // counted before it is begun: whatever ends us then, it is not for ever
    entry.acknowledged += 1;
    let refused = if active >= MAX_PARALLEL {
        Some(format!("{MAX_PARALLEL} others are"))
    } else if entry.acknowledged > MAX_ATTEMPTS {
        Some(format!("it was begun {MAX_ATTEMPTS} times"))
    } else {
        None
    };
    if let Some(why) = refused {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
        let _ = shared.outbox.remove(&entry);
        return log::info!(target: "session", "an answer was not spoken: {why}");
    }
    shared.outbox.put_or_keep_in_memory(&entry);
    let shared = shared.clone();
    let started = thread::spawn("speak", move || {
        match build_upload(&shared, &entry) {
            Ok(upload) => {
                (entry.kind, entry.acknowledged, entry.follow_ups) =
                    (ReplyKind::Notice, 0, vec![FollowUp::Upload(upload)]);
                entry.parts.clear();
                shared.outbox.put_or_keep_in_memory(&entry);
                tell(SessionEvent::Spoken { entry: Box::new(entry) });
            }
            // the program was ended with us
            Err(_) if shared.draining.load(Ordering::Relaxed) => {}
            Err(why) => {
                let _ = shared.outbox.remove(&entry);
                log::warn!(target: "session", "an answer could not be spoken: {why}");
            }
        }
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    });
    if let Err(e) = started {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
        log::warn!(target: "session", "an answer is spoken after the next start: no thread could be started: {e}");
    }
}

/// The sound of an entry, copied for the upload.
fn build_upload(shared: &Shared, entry: &OutboxEntry) -> Result<Upload, String> {
    let (Some(text), Some(FollowUp::Upload(upload))) = (entry.parts.first(), entry.follow_ups.first()) else {
        return Err("there is no text".to_owned());
    };
    let config = &shared.config;
    let wrong =
        |e: std::io::Error| format!("{}: {}", config.artifact_dir.display(), crate::error::reason(&e));
    let folder = config.artifact_dir.join(format!("speech-{}", entry.id));
    // what an earlier run has left of it
    let _ = std::fs::remove_dir_all(&folder);
    paths::create_private_dir(&folder).map_err(wrong)?;
    let made = synthesize(shared, &folder, text).and_then(|file| {
        let ending = audio_extension(&file).ok_or("what was made is neither WAV nor MP3 nor Ogg")?;
        let path = file.to_str().ok_or("its path is not plain text")?;
        Ok((shared.staging.stage(&folder, path)?, format!("answer.{ending}")))
    });
    // the copy is what is sent
    let _ = std::fs::remove_dir_all(&folder);
    let (copied, name) = made?;
    let lang = Lang::stored(upload.in_chinese);
    let place = UploadTarget { topic_id: &entry.topic_id, task_id: upload.task_id.as_deref(), lang };
    Ok(place.upload(copied, &name, &Msg::Spoken.to(lang, &[])))
}

fn synthesize(shared: &Shared, folder: &Path, text: &str) -> Result<PathBuf, String> {
    let config = &shared.config;
    let words = match &config.speech.synthesizer {
        Some(Synthesizer::Command(words)) => words,
        Some(Synthesizer::Endpoint(endpoint)) => return by_address(config, endpoint, folder, text),
        None => return Err("nothing is set that speaks".to_owned()),
    };
    let (input, output) = (folder.join("text.txt"), folder.join("speech.wav"));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&input);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| e.to_string())?;
    let voice = config.speech.voice.as_deref().unwrap_or_default();
    let values: [(&str, &OsStr); 3] =
        [("{file}", input.as_os_str()), ("{output}", output.as_os_str()), ("{voice}", voice.as_ref())];
    let words = transcribe::fill_placeholders(words, &values);
    user_program::run(shared, &words, text, SYNTHESIS_TIMEOUT, None)
        .map(|_| output)
        .map_err(|e| e.to_string())
}

fn by_address(
    config: &Config,
    endpoint: &SpeechEndpoint,
    folder: &Path,
    text: &str,
) -> Result<PathBuf, String> {
    let voice = config.speech.voice.as_deref().unwrap_or("alloy");
    let body = json!({ "model": endpoint.model, "input": text, "voice": voice, "response_format": "mp3" });
    let body = body.to_string().into_bytes();
    let answer = multipart::post(FormPost {
        url: &format!("{}/audio/speech", endpoint.base_url),
        key: &endpoint.key,
        ca_file: config.ca_file.as_deref(),
        total: SYNTHESIS_TIMEOUT,
        content_type: "application/json",
        length: body.len() as u64,
        body: Box::new(Cursor::new(body)),
    });
    let answer = answer.map_err(|e| e.to_string())?;
    inbox::store(answer, folder, "speech.mp3", MAX_AUDIO_BYTES, &mut |_| true).map(|(path, _)| path)
}

/// What a sound file is, by its first bytes.
fn audio_extension(file: &Path) -> Option<&'static str> {
    let mut head = [0; 4];
    std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    match head {
        [b'R', b'I', b'F', b'F'] => Some("wav"),
        [b'O', b'g', b'g', b'S'] => Some("ogg"),
        [b'I', b'D', b'3', _] | [0xff, 0xe0..=0xff, ..] => Some("mp3"),
        _ => None,
    }
}
