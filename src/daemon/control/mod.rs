//! The control socket: how the command line looks at a running connector and steers it.
//!
//! A Unix socket in the state directory, for the same user only; no port. One request, one answer, each a line of JSON:
//! `{"request":"status"}`. Here is what both sides share, and the asking side. The daemon's side is `server.rs`; the
//! answers are the hub's (`daemon/control/handlers.rs`).

pub(crate) mod handlers;
pub(crate) mod reply;
pub(crate) mod server;
use crate::json::{self, null_as_default};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use crate::config::paths::SOCKET;

/// The hub answers in milliseconds; one that does not within this time hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Several large files may wait before one; each takes ten minutes at most.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
/// Requests are small; those that will carry texts or paths are not larger than this.
const MAX_REQUEST: usize = 64 * 1024;
/// A status names at most some hundreds of turns.
const MAX_ANSWER: usize = 1024 * 1024;

/// What is said of a hub that does not answer.
const SILENT: &str = "it runs but does not answer; its log may say why";

/// What can be asked of a running connector; each as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub enum Request {
    /// Its state.
    Status,
    /// Allow what an agent asks.
    Approve(PermissionAnswer),
    /// Refuse it.
    Deny(PermissionAnswer),
    /// Start again: when the running turns have ended, or now.
    Restart {
        /// Do not wait for the running turns.
        #[serde(default, deserialize_with = "null_as_default")]
        now: bool,
    },
    /// Send files into a topic.
    Upload(UploadRequest),
}

/// The answer to a permission request or question of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PermissionAnswer {
    /// Which request; without it, the open ones are listed.
    pub id: Option<String>,
    /// `always`, a reason, or the text of an answer.
    #[serde(deserialize_with = "null_as_default")]
    pub words: String,
}

/// Files to be sent into a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadRequest {
    /// The topic.
    #[serde(rename = "topic", deserialize_with = "null_as_default")]
    pub topic_id: String,
    /// The title of the card; empty for the name of the file.
    #[serde(deserialize_with = "null_as_default")]
    pub title: String,
    /// Relative paths start here.
    #[serde(deserialize_with = "null_as_default")]
    pub folder: String,
    /// One file is sent as it is, several as one archive.
    #[serde(deserialize_with = "null_as_default")]
    pub files: Vec<String>,
    /// The turn that sends it, as its agent's environment names it; empty outside a turn.
    #[serde(deserialize_with = "null_as_default")]
    pub turn: String,
}

/// Whether a text can be the id of a topic.
pub fn is_topic_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 200 && id.bytes().all(|b| b.is_ascii_graphic())
}

impl Request {
    /// Reads a line of a client. The error is the answer to it.
    fn read(line: &[u8]) -> Result<Request, String> {
        let _: Value = json::parse(line).map_err(|why| format!("the request is not JSON: {why}"))?;
        let request = json::parse(line).map_err(|why| {
            format!(
                "wtt-connect {} does not know this request ({why}); after an update `wtt-connect restart` starts the new program",
                env!("CARGO_PKG_VERSION")
            )
        })?;
        match &request {
            Request::Upload(upload) if !is_topic_id(&upload.topic_id) => {
                Err("this is not the id of a topic; give one with --topic-id".to_owned())
            }
            _ => Ok(request),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlError {
    /// No connector runs on this state directory.
    Absent,
    /// It runs, but its answer is missing or unusable: one sentence.
    Failed(String),
}

/// Sends a request to the connector that runs on a state directory, and waits some seconds for the answer.
pub fn ask(state_dir: &Path, request: &Request) -> Result<Value, ControlError> {
    let mut stream = connect_and_send(&place(state_dir), request)?;
    let until = Instant::now() + ANSWER_TIMEOUT;
    let answer = read_line(&mut stream, MAX_ANSWER, until).map_err(|e| failed(&e))?;
    parse_answer(&answer)
}

/// Lets the connector that listens at `socket` send files; `on_progress` gets the bytes sent and their total.
pub fn upload(
    socket: &Path,
    request: &UploadRequest,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<Value, ControlError> {
    let stream = connect_and_send(socket, &Request::Upload(request.clone()))?;
    stream.set_read_timeout(Some(UPLOAD_TIMEOUT)).map_err(|e| failed(&e))?;
    let mut lines = BufReader::new(stream.take(MAX_ANSWER as u64));
    loop {
        let mut line = Vec::new();
        match lines.read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            Ok(_) => return Err(ControlError::Failed("the connector ended before it answered; try again when it runs, a card that is on its way already is not sent twice".into())),
            Err(e) => return Err(failed(&e)),
        }
        let answer = parse_answer(&line)?;
        match (answer["sent"].as_u64(), answer["of"].as_u64()) {
            (Some(sent), Some(of)) => on_progress(sent, of),
            _ => return Ok(answer),
        }
    }
}

/// Connects and sends a request.
fn connect_and_send(socket: &Path, request: &Request) -> Result<UnixStream, ControlError> {
    let mut stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => ControlError::Absent,
        _ => failed(&e),
    })?;
    if !is_ours(&stream) {
        return Err(ControlError::Failed("its control socket belongs to another user".into()));
    }
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(|e| failed(&e))?;
    let line = serde_json::to_string(request).map_err(|e| ControlError::Failed(e.to_string()))? + "\n";
    if line.len() > MAX_REQUEST {
        return Err(ControlError::Failed("the request is too long; name fewer files".into()));
    }
    stream.write_all(line.as_bytes()).map_err(|e| failed(&e))?;
    Ok(stream)
}

/// An answer, or the error in it.
fn parse_answer(answer: &[u8]) -> Result<Value, ControlError> {
    let answer = json::parse::<Value>(answer)
        .map_err(|e| ControlError::Failed(format!("its answer is no JSON: {e}")))?;
    match answer["error"].as_str() {
        Some(why) => Err(ControlError::Failed(why.to_owned())),
        None => Ok(answer),
    }
}

fn failed(error: &std::io::Error) -> ControlError {
    ControlError::Failed(match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::UnexpectedEof => SILENT.into(),
        _ => format!("its control socket cannot be used: {}", crate::error::reason(error)),
    })
}

/// The path of the socket: in the state directory, or where the link there points.
pub fn place(state_dir: &Path) -> PathBuf {
    let path = state_dir.join(SOCKET);
    std::fs::read_link(&path).unwrap_or(path)
}

/// Whether the other end belongs to the same user. Where the system cannot say, the socket's mode is the guard.
fn is_ours(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        true
    }
}

/// One line of at most `max` bytes, in the time that is left.
fn read_line(stream: &mut UnixStream, max: usize, until: Instant) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // zero would mean: without a limit
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let n = match stream.read(&mut piece) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        line.extend_from_slice(&piece[..n]);
        if line.ends_with(b"\n") {
            return Ok(line);
        }
        if n == 0 || line.len() > max || left.is_zero() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The state of the connection to the service, as an answer to [`Request::Status`] holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ConnectionState {
    /// Authenticated.
    Connected {
        /// For how many seconds.
        #[serde(default, deserialize_with = "null_as_default")]
        seconds: u64,
    },
    /// The first attempt is under way.
    Connecting,
    /// An attempt has failed; the next one follows by itself.
    Retrying {
        /// Why it failed.
        #[serde(default, deserialize_with = "null_as_default")]
        problem: String,
        /// In how many seconds the next one is made.
        #[serde(default, deserialize_with = "null_as_default")]
        seconds: u64,
    },
    /// The service refuses the token: a person has to act.
    Refused {
        /// What it says.
        #[serde(default, deserialize_with = "null_as_default")]
        problem: String,
    },
}

impl ConnectionState {
    /// Reads it from an answer; one that cannot be read counts as [`ConnectionState::Connecting`].
    pub fn of(answer: &Value) -> ConnectionState {
        ConnectionState::deserialize(&answer["link"]).unwrap_or(ConnectionState::Connecting)
    }
}
