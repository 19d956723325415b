//! `upload-file`: sends files to a topic through the running connector or, if none runs, by HTTP.

use super::profiles::{self, Profile};
use super::running_pid;
use crate::agent::runner::TURN_VARIABLE;
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::daemon::control::{self, ControlError, UploadRequest};
use crate::error::{Error, Result};
use crate::http::Client;
use crate::http::fetch::Fetcher;
use crate::http::file_upload::UploadFailure;
use crate::session::file_upload;
use crate::session::file_upload::{FileSender, UploadTarget};
use crate::store::sent_files::SentFiles;
use crate::wire::outgoing::{self, Publish};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;

/// Sends the files and prints the URL.
pub fn run(args: &CommandArgs) -> Result<()> {
    let wish = wish(args)?;
    let mut shown = Progress { on: std::io::stderr().is_terminal(), last: None };
    let sent = send(args, &wish, &mut |sent, of| shown.show(sent, of));
    shown.end();
    let sent = sent?;
    if sent["pending"].is_boolean() {
        output::write_stderr(
            "wtt-connect: the service has not accepted the card yet; it is kept, and sent when the connection is back\n",
        );
    }
    if args.json {
        return output::write_stdout(&format!("{sent:#}\n"));
    }
    output::write_stdout(&format!("{}\n", sent["url"].as_str().unwrap_or_default()))
}

/// The request that the command line makes.
fn wish(args: &CommandArgs) -> Result<UploadRequest> {
    let usage = |why: &str| Error::Usage(why.to_owned());
    let topic_id = args.topic_id.clone().or_else(|| variable(file_upload::TOPIC));
    let topic_id = topic_id.ok_or_else(|| usage("upload-file needs a topic; give its id with --topic-id"))?;
    let folder = std::env::current_dir()
        .map_err(|_| Error::Failed("the current directory no longer exists; change to another one".into()))?;
    let mut files = Vec::new();
    for file in &args.operands {
        let file = file.to_str().ok_or_else(|| usage("the name of a file is not UTF-8 text; rename it"))?;
        files.push(file.to_owned());
    }
    let folder =
        folder.to_str().ok_or_else(|| usage("the name of the current directory is not UTF-8 text"))?;
    let (title, turn) = (args.title.clone().unwrap_or_default(), variable(TURN_VARIABLE).unwrap_or_default());
    Ok(UploadRequest { topic_id, title, folder: folder.to_owned(), files, turn })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Sends the files through the connector of this agent, through that of the profile, or by HTTP.
fn send(args: &CommandArgs, wish: &UploadRequest, on: &mut dyn FnMut(u64, u64)) -> Result<Value> {
    let socket = variable(file_upload::SOCKET).filter(|_| args.profile.is_none());
    if let Some(socket) = socket {
        return control::upload(Path::new(&socket), wish, on).map_err(|error| match error {
            ControlError::Failed(why) => Error::Failed(why),
            ControlError::Absent => Error::Unavailable(
                "the connector that started this agent is no longer running; try again when it is".into(),
            ),
        });
    }
    let profile = profile(args)?;
    match control::upload(&control::place(&profile.config.state_dir), wish, on) {
        Ok(answer) => Ok(answer),
        Err(ControlError::Failed(why)) => Err(Error::Failed(why)),
        Err(ControlError::Absent) => match running_pid(&profile.config.state_dir) {
            Some(_) => {
                Err(Error::TryAgain(format!("{} is just starting or stopping; try again", profile.name)))
            }
            None => by_http(&profile, wish, on),
        },
    }
}

fn profile(args: &CommandArgs) -> Result<Profile> {
    let names = profiles::names();
    match (&args.profile, names.as_slice()) {
        (Some(name), _) => profiles::find(name),
        (None, [only]) => Ok(Profile::read(only)),
        (None, []) => Err(Error::Config("there is no profile yet; `wtt-connect up` creates one".into())),
        (None, _) => Err(Error::Usage(format!("choose a profile with --profile: {}", names.join(", ")))),
    }
}

/// Sends the files without a connector. The list of sent files is written without the lock that a connector would
/// hold: a connector that starts at the same moment may lose one row of that list, and nothing else.
fn by_http(profile: &Profile, wish: &UploadRequest, on: &mut dyn FnMut(u64, u64)) -> Result<Value> {
    let config = &profile.config;
    if let Some(problem) = profile.problems.first() {
        return Err(Error::Config(format!("{}: {problem}", profile.name)));
    }
    let staging = file_upload::staging_area(config);
    let place =
        UploadTarget { topic_id: &wish.topic_id, task_id: None, lang: crate::session::messages::Lang::En };
    let upload = file_upload::prepare(&staging, place, Path::new(&wish.folder), &wish.files, &wish.title)
        .map_err(Error::Failed)?;
    let (base, token) = (&config.base_url, &config.http_token);
    let mut what = "the upload failed".to_owned();
    let sent = (|| {
        let client = Client::new(base, token.clone(), config.ca_file.clone())?;
        let fetcher = Fetcher::new(base, token.clone(), config.ca_file.as_deref(), &config.media_hosts)?;
        let sent_files = SentFiles::new(&config.state_dir);
        let post = FileSender {
            client: &client,
            fetcher: &fetcher,
            staging: &staging,
            sent_files: &sent_files,
            service: base,
        };
        let sent = post.send(&upload, &mut |n| on(n, upload.staged.size))?;
        let message = Publish {
            topic_id: &wish.topic_id,
            content: &sent.card,
            semantic_type: "post",
            ..Publish::default()
        };
        what = format!("the service refuses the card in topic {}", wish.topic_id);
        let path = outgoing::messages_path(&wish.topic_id, &config.agent_id);
        client.post_json(&path, &outgoing::message(&message, &config.agent_id))?;
        Ok::<_, UploadFailure>(sent)
    })();
    staging.remove(&upload.staged.name);
    let sent = sent.map_err(|error| match error {
        UploadFailure { is_final: false, why } => Error::Unavailable(why),
        UploadFailure { why, .. } => Error::Failed(format!("{what}: {why}")),
    })?;
    Ok(
        json!({ "url": sent.url, "card": sent.card, "size": upload.staged.size, "sha256": upload.staged.sha256 }),
    )
}

/// The progress line on the terminal.
struct Progress {
    on: bool,
    last: Option<u64>,
}

impl Progress {
    fn show(&mut self, sent: u64, of: u64) {
        let percent = sent * 100 / of.max(1);
        if self.on && self.last.is_none_or(|last| last != percent) {
            self.last = Some(percent);
            output::write_stderr(&format!("\rsending: {percent}% "));
        }
    }

    fn end(&self) {
        if self.last.is_some() {
            output::write_stderr("\r               \r");
        }
    }
}
