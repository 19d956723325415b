//! Files out: what of a turn's answer goes as a file, and sending one such file.
//!
//! The worker copies the files before the reply is kept; sending is done later, from the copy, by the daemon's threads
//! (`daemon/outbound/uploads.rs`) or by the command `upload-file` where no daemon runs.

use crate::agent::runner::TURN_VARIABLE;
use crate::config::Config;
use crate::http::Client;
use crate::http::fetch::Fetcher;
use crate::http::file_upload::{self, FileUpload, UploadFailure};
use crate::secret::Secret;
use crate::session::messages::{Lang, Msg, kept};
use crate::session::shared::Shared;
use crate::session::work::Assignment;
use crate::store::outbox::ReplyKind;
use crate::store::sent_files::{SentFileRecord, SentFiles};
use crate::store::staging::{AllowedRoots, StagedFile, StagingArea};
use crate::store::upload::Upload;
use crate::wire::artifact::{self, ArtifactMarker, MAX_FILES};
use crate::wire::intake::{Job, Scope};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All of them are open while they are packed.
const MAX_PACKED: usize = 200;

/// The staging of a configuration: what may leave, and where the copies lie.
pub fn staging_area(config: &Config) -> StagingArea {
    let mut closed = vec![config.state_dir.clone()];
    let places = config.selection.places();
    closed.extend(places.profiles().ok());
    // other identities of this user
    closed.extend(places.state_dir("").ok());
    // the state may lie in the workspace
    let beside = |end: &str| PathBuf::from(format!("{}{end}", config.store_file.display()));
    let mut secret = vec![config.store_file.clone(), beside(".journal"), beside(".prev")];
    secret.extend(config.token_source.path().map(Path::to_owned));
    let roots = vec![config.workdir.clone(), config.inbox_dir.clone(), config.artifact_dir.clone()];
    StagingArea::new(
        config.state_dir.join("uploads"),
        AllowedRoots { roots, excluded: closed, forbidden_files: secret },
    )
}

/// Where a file's card goes.
#[derive(Debug, Clone, Copy)]
pub struct UploadTarget<'a> {
    /// Topic.
    pub topic_id: &'a str,
    /// The task, in a task's topic.
    pub task_id: Option<&'a str>,
    /// The language of what is said about it.
    pub lang: Lang,
}

impl<'a> UploadTarget<'a> {
    /// Of a turn.
    pub fn of(job: &'a Job, lang: Lang) -> UploadTarget<'a> {
        let task_id = if let Scope::Task(id) = &job.scope { Some(id.as_str()) } else { None };
        UploadTarget { topic_id: &job.topic_id, task_id, lang }
    }

    /// A copy as it is to be sent.
    pub fn upload(&self, staged: StagedFile, name: &str, title: &str) -> Upload {
        let mime = artifact::file_type(name).map_or("application/octet-stream", |kind| kind.mime);
        Upload {
            staged,
            name: name.to_owned(),
            title: match artifact::label(title) {
                none if none.is_empty() => name.to_owned(),
                title => title,
            },
            mime: mime.to_owned(),
            topic_id: self.topic_id.to_owned(),
            task_id: self.task_id.map(str::to_owned),
            replaces_text: false,
            in_chinese: self.lang == Lang::Zh,
        }
    }
}

/// What of an answer is text, and what goes as files. Files go with an answer alone: what is left of a turn that failed or
/// was stopped is not what the agent wanted to send.
pub fn of_reply(
    shared: &Shared,
    job: &Job,
    lang: Lang,
    text: &str,
    kind: ReplyKind,
) -> (String, Vec<Upload>) {
    let (staging, place) = (&shared.staging, UploadTarget::of(job, lang));
    let (mut text, mut uploads) = match kind {
        ReplyKind::Done => collect_marked_files(staging, &shared.config.workdir, place, text),
        _ => (text.to_owned(), Vec::new()),
    };
    // a file would show the service what it shall not read
    if !job.encrypted
        && let Some((shown, whole)) = shorten(staging, place, &text)
    {
        text = shown;
        uploads.insert(0, whole);
    }
    if job.encrypted && !uploads.is_empty() {
        // the protocol has no encryption for files
        note(&mut text, &Msg::InTheClear.to(lang, &[]));
    }
    (text, uploads)
}

/// Takes the markers out of an answer, and copies of the files that they name. What may not leave, or is not there, is
/// said in the text.
pub fn collect_marked_files(
    staging: &StagingArea,
    workdir: &Path,
    place: UploadTarget<'_>,
    text: &str,
) -> (String, Vec<Upload>) {
    let (mut text, mut wishes) = artifact::markers(text);
    let mut uploads: Vec<Upload> = Vec::new();
    let surplus = wishes.len().saturating_sub(MAX_FILES);
    wishes.truncate(MAX_FILES);
    for ArtifactMarker { path, title } in wishes {
        match stage_file(staging, workdir, &path) {
            Ok((staged, name)) if uploads.iter().all(|other| other.staged.origin != staged.origin) => {
                uploads.push(place.upload(staged, &name, &title));
            }
            Ok((staged, _)) => staging.remove(&staged.name),
            Err(why) => note(&mut text, &not_sent(place.lang, &path, &why)),
        }
    }
    if surplus > 0 {
        let numbers = [surplus.to_string(), MAX_FILES.to_string()];
        note(&mut text, &Msg::MoreNotSent.to(place.lang, &[&numbers[0], &numbers[1]]));
    }
    (text, uploads)
}

/// A copy of a file that people can open, and what it is called.
pub fn stage_file(staging: &StagingArea, folder: &Path, path: &str) -> Result<(StagedFile, String), String> {
    let name = artifact::file_name(path);
    if artifact::file_type(&name).is_none() {
        return Err(format!("files of this kind are not sent, only {}", artifact::endings()));
    }
    staging.stage(folder, path).map(|staged| (staged, name))
}

/// What the command `upload-file` sends: one file as it is, several as one archive.
pub fn prepare(
    staging: &StagingArea,
    place: UploadTarget<'_>,
    folder: &Path,
    files: &[String],
    title: &str,
) -> Result<Upload, String> {
    match files {
        [] => Err("no file was named".to_owned()),
        [file] => {
            let (staged, name) =
                stage_file(staging, folder, file).map_err(|why| format!("`{file}`: {why}"))?;
            Ok(place.upload(staged, &name, title))
        }
        many if many.len() > MAX_PACKED => Err(format!("one archive takes {MAX_PACKED} files at most")),
        many => {
            let stem = if title.trim().is_empty() { "files" } else { title };
            let name = artifact::file_name(&format!("{}.zip", stem.replace('/', "-")));
            Ok(place.upload(staging.stage_archive(folder, many, artifact::file_name)?, &name, title))
        }
    }
}

/// Where the command `upload-file` finds this daemon: the path of its control socket.
pub const SOCKET: &str = "WTT_CONNECT_SOCKET";
/// The topic that an agent works for.
pub const TOPIC: &str = "WTT_CONNECT_TOPIC_ID";

/// Variables of an agent: those of the env files, and how `upload-file` finds its way. The runner writes another word for the
/// turn into a process that may serve several: the daemon knows which one runs.
pub fn environment(config: &Config, topic_id: &str, turn: String) -> BTreeMap<String, Secret> {
    let mut env = config.extra_env.clone();
    let socket = config.state_dir.join(crate::config::paths::SOCKET);
    // a long path is a link to where the socket really lies
    let socket = std::fs::read_link(&socket).unwrap_or(socket);
    env.insert(SOCKET.to_owned(), Secret::new(socket.to_string_lossy().into_owned()));
    env.insert(TOPIC.to_owned(), Secret::new(topic_id.to_owned()));
    env.insert(TURN_VARIABLE.to_owned(), Secret::new(turn));
    env
}

/// How an agent calls this program: by its name, where that is what it finds on its PATH.
pub fn command() -> String {
    const NAME: &str = "wtt-connect";
    let Ok(own) = std::env::current_exe() else { return NAME.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(NAME)).find(|file| file.is_file());
    let same = found.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == own);
    match own.to_str() {
        // after an update in place the old file is gone
        Some(own) if !same && Path::new(own).is_file() => shell_words::quote(own).into_owned(),
        _ => NAME.to_owned(),
    }
}

/// What people are told of a file that was not sent.
pub fn not_sent(lang: Lang, name: &str, why: &str) -> String {
    let name = crate::text::truncate(&crate::text::one_line(name).replace('`', "'"), 200);
    Msg::NotSent.to(lang, &[&name, &kept(lang, why)])
}

fn note(text: &mut String, line: &str) {
    let notes = text.lines().last().is_some_and(|last| last.starts_with("⚠️ "));
    if !text.is_empty() {
        text.push_str(if notes { "\n" } else { "\n\n" });
    }
    text.push_str(line);
}

/// The summary of a run, as a file of its own (`WTT_CONNECT_UPLOAD_ARTIFACTS`).
pub fn summary(
    staging: &StagingArea,
    turn: &Assignment,
    title: &str,
    took: Duration,
    answer: &str,
) -> Option<Upload> {
    let Assignment { job, route, lang, .. } = turn;
    let title = crate::text::one_line(title);
    let title = if title.is_empty() { "task" } else { &title };
    let model = route.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
    let text = format!(
        "# {title}\n\n- When: {}, {} s\n- Agent: {}{model}\n\n## Asked\n\n{}\n\n## Answered\n\n{answer}\n",
        crate::sys::time::rfc3339(crate::sys::time::now_ms()),
        took.as_secs(),
        route.adapter,
        job.instruction.trim(),
    );
    let staged = staging.stage_text("the summary of a run", &text);
    let staged = staged.map_err(|why| log::warn!(target: "session", "no summary: {why}")).ok()?;
    Some(UploadTarget::of(job, *lang).upload(staged, "summary.md", &Msg::SummaryOf.to(*lang, &[title])))
}

/// An answer that is too long to be read in a chat becomes a file, with its beginning as the text. None when it is not, or
/// when the disk does not take it: then it goes in pieces like any other.
pub fn shorten(staging: &StagingArea, place: UploadTarget<'_>, text: &str) -> Option<(String, Upload)> {
    let (shown, count) = artifact::excerpt(text)?;
    let shown = Msg::Excerpt.to(place.lang, &[&shown, &count.to_string()]);
    match staging.stage_text("the answer itself", text) {
        Ok(staged) => {
            let upload = place.upload(staged, "answer.md", &Msg::WholeAnswer.to(place.lang, &[]));
            Some((shown, Upload { replaces_text: true, ..upload }))
        }
        Err(why) => {
            log::warn!(target: "session", "a long answer goes in pieces: {why}");
            None
        }
    }
}

/// Everything that sending needs.
#[derive(Debug)]
pub struct FileSender<'a> {
    /// The API.
    pub client: &'a Client,
    /// For the upload itself, which may go elsewhere.
    pub fetcher: &'a Fetcher,
    /// The copies.
    pub staging: &'a StagingArea,
    /// What was sent before.
    pub sent_files: &'a SentFiles,
    /// Base URL: where it was sent to.
    pub service: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Where it lies.
    pub url: String,
    /// The token that shows it.
    pub card: String,
}

impl FileSender<'_> {
    /// Sends a file, or finds that the service has it. The sent_files knows it afterwards.
    pub fn send(&self, upload: &Upload, on: &mut dyn FnMut(u64)) -> Result<SentFile, UploadFailure> {
        let Upload { staged, name, title, mime, .. } = upload;
        let known = self
            .sent_files
            .find_url(&staged.sha256, mime, self.service)
            .filter(|url| !self.fetcher.is_gone(url));
        let url = match known {
            Some(url) => url,
            None => {
                let file = self.staging.open(&staged.name).map_err(|e| {
                    // only somebody who tidies the state directory can have done that
                    UploadFailure::last(format!("its copy is gone: {}", crate::error::reason(&e)))
                })?;
                let out = FileUpload { file: &file, size: staged.size, name, mime };
                file_upload::upload(self.client, self.fetcher, &out, on)?
            }
        };
        let row = SentFileRecord {
            sent_at: crate::sys::time::now_ms(),
            origin: staged.origin.clone(),
            name: name.clone(),
            title: title.clone(),
            sha256: staged.sha256.clone(),
            size: staged.size,
            mime: mime.clone(),
            service: self.service.to_owned(),
            url: url.clone(),
            topic_id: upload.topic_id.clone(),
            task_id: upload.task_id.clone(),
            ..SentFileRecord::default()
        };
        if let Err(why) = self.sent_files.add(row) {
            log::warn!(target: "store", "the sent_files of artifacts cannot be written: {why}");
        }
        Ok(SentFile { card: artifact::card(name, title, &url), url })
    }
}
