//! The control socket: how the command line looks at a running connector and steers it.
//!
//! A Unix socket in the state directory, for the same user only; no port. One request, one answer, each a line of JSON:
//! `{"request":"status"}`. Here is what both sides share, and the asking side. The daemon's side is [`server`]; the
//! answers are the hub's (`daemon/control/handlers.rs`).

mod handlers;
pub(crate) mod reply;
pub(crate) mod server;
use crate::json;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use crate::config::paths::SOCKET;

/// The hub answers in milliseconds; one that does not within this time hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// Several large files may wait before one; each takes ten minutes at most.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(3600);
/// Requests are small; those that will carry texts or paths are not larger than this.
const MAX_REQUEST: usize = 64 * 1024;
/// A status names at most some hundreds of turns.
const MAX_ANSWER: usize = 1024 * 1024;

/// What is said of a hub that does not answer.
const SILENT: &str = "it runs but does not answer; its log may say why";

/// What can be asked of a running connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// How it is.
    Status,
    /// Answer what an agent asks, or list what is open.
    Decide {
        /// Yes, or no.
        allow: bool,
        /// Which question; without it, all are listed.
        id: Option<String>,
        /// `always`, a reason, an answer.
        words: String,
    },
    /// Start again: after the running turns, or now.
    Restart {
        /// Does not wait for the running turns.
        now: bool,
    },
    /// Send files into a topic.
    Upload(UploadRequest),
}

/// Files that somebody wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// Where to.
    pub topic_id: String,
    /// What people see; empty for the file's name.
    pub title: String,
    /// Paths count from here.
    pub folder: String,
    /// One as it is, several as one archive.
    pub files: Vec<String>,
    /// The turn that wants it, as its agent's environment names it; empty for nobody's.
    pub turn: String,
}

/// Whether a text can be the id of a topic.
pub fn is_topic_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 200 && id.bytes().all(|b| b.is_ascii_graphic())
}

impl Request {
    /// As it is sent.
    fn to_json(&self) -> Value {
        match self {
            Request::Status => json!({ "request": "status" }),
            Request::Restart { now } => json!({ "request": "restart", "now": now }),
            Request::Upload(wish) => {
                json!({ "request": "upload", "topic": wish.topic_id, "title": wish.title,
                "folder": wish.folder, "files": wish.files, "turn": wish.turn })
            }
            Request::Decide { allow, id, words } => {
                json!({ "request": if *allow { "approve" } else { "deny" }, "id": id, "words": words })
            }
        }
    }

    /// As it came. The error is for whoever asked.
    fn read(line: &[u8]) -> Result<Request, String> {
        let value = json::parse::<Value>(line).map_err(|why| format!("the request is not JSON: {why}"))?;
        let now = value["now"].as_bool().unwrap_or_default();
        match value["request"].as_str() {
            Some("status") => Ok(Request::Status),
            Some("restart") => Ok(Request::Restart { now }),
            Some("upload") => {
                let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
                let mut files = Vec::new();
                let topic_id = text("topic");
                if !is_topic_id(&topic_id) {
                    return Err("the topic's id is none; give the id of a topic with --topic-id".to_owned());
                }
                let named = value["files"].as_array().into_iter().flatten();
                files.extend(named.filter_map(Value::as_str).map(str::to_owned));
                let (title, folder, turn) = (text("title"), text("folder"), text("turn"));
                Ok(Request::Upload(UploadRequest { topic_id, title, folder, files, turn }))
            }
            Some(word @ ("approve" | "deny")) => Ok(Request::Decide {
                allow: word == "approve",
                id: value["id"].as_str().map(str::to_owned),
                words: value["words"].as_str().unwrap_or_default().to_owned(),
            }),
            _ => Err(format!(
                "wtt-connect {} does not know this request; after an update `wtt-connect restart` starts the new program",
                env!("CARGO_PKG_VERSION")
            )),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// No connector runs on this state directory.
    Absent,
    /// It runs and does not, or not so, answer: one sentence.
    Failed(String),
}

/// Asks the connector that runs on a state directory. Takes at most some seconds.
pub fn ask(state_dir: &Path, request: &Request) -> Result<Value, AskError> {
    let mut stream = say(&place(state_dir), request)?;
    let until = Instant::now() + PATIENCE;
    let answer = read_line(&mut stream, MAX_ANSWER, until).map_err(|e| failed(&e))?;
    judge(&answer)
}

/// Has files sent by the connector that listens at `socket`; `on` hears how many bytes of how many are out.
pub fn upload(socket: &Path, wish: &UploadRequest, on: &mut dyn FnMut(u64, u64)) -> Result<Value, AskError> {
    let stream = say(socket, &Request::Upload(wish.clone()))?;
    stream.set_read_timeout(Some(UPLOAD_PATIENCE)).map_err(|e| failed(&e))?;
    let mut lines = BufReader::new(stream.take(MAX_ANSWER as u64));
    loop {
        let mut line = Vec::new();
        match lines.read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            Ok(_) => return Err(AskError::Failed("the connector ended before it answered; try again when it runs, a card that is on its way already is not sent twice".into())),
            Err(e) => return Err(failed(&e)),
        }
        let answer = judge(&line)?;
        match (answer["sent"].as_u64(), answer["of"].as_u64()) {
            (Some(sent), Some(of)) => on(sent, of),
            _ => return Ok(answer),
        }
    }
}

/// Connects and sends a request.
fn say(socket: &Path, request: &Request) -> Result<UnixStream, AskError> {
    let mut stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => AskError::Absent,
        _ => failed(&e),
    })?;
    if !is_ours(&stream) {
        return Err(AskError::Failed("its control socket belongs to another user".into()));
    }
    stream.set_write_timeout(Some(PATIENCE)).map_err(|e| failed(&e))?;
    let line = format!("{}\n", request.to_json());
    if line.len() > MAX_REQUEST {
        return Err(AskError::Failed("the request is too long; name fewer files".into()));
    }
    stream.write_all(line.as_bytes()).map_err(|e| failed(&e))?;
    Ok(stream)
}

/// An answer, or the error in it.
fn judge(answer: &[u8]) -> Result<Value, AskError> {
    let answer =
        json::parse::<Value>(answer).map_err(|e| AskError::Failed(format!("its answer is no JSON: {e}")))?;
    match answer["error"].as_str() {
        Some(why) => Err(AskError::Failed(why.to_owned())),
        None => Ok(answer),
    }
}

fn failed(error: &std::io::Error) -> AskError {
    AskError::Failed(match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::UnexpectedEof => SILENT.into(),
        _ => format!("its control socket cannot be used: {}", crate::error::reason(error)),
    })
}

/// Where the socket lies: in the state directory, or where the link there says.
pub fn place(state_dir: &Path) -> PathBuf {
    let path = state_dir.join(SOCKET);
    std::fs::read_link(&path).unwrap_or(path)
}

/// Whether the other end belongs to the same user. Where the system cannot tell, the socket's mode is the guard.
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

/// How the connection stands, out of an answer to [`Request::Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Authenticated.
    Connected {
        /// Since how many seconds.
        seconds: u64,
    },
    /// The first attempt is under way.
    Connecting,
    /// An attempt has failed; the next one follows by itself.
    Retrying {
        /// Why it failed.
        problem: String,
        /// When the next one is.
        seconds: u64,
    },
    /// The service refuses the token: somebody has to do something.
    Refused {
        /// What it says.
        problem: String,
    },
}

impl Link {
    /// Reads it.
    pub fn of(answer: &Value) -> Link {
        let link = &answer["link"];
        let seconds = link["seconds"].as_u64().unwrap_or_default();
        let problem = link["problem"].as_str().unwrap_or_default().to_owned();
        match link["state"].as_str() {
            Some("connected") => Link::Connected { seconds },
            Some("retrying") => Link::Retrying { problem, seconds },
            Some("refused") => Link::Refused { problem },
            _ => Link::Connecting,
        }
    }
}
