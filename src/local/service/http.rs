//! HTTP/1.1 as far as a local service needs it: one request per connection, bounded and with a deadline.
//!
//! Reads a head, then a body into memory or into a file, and writes one response. Knows no routes.

use crate::json::object;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Head of a request: far above what clients send, small enough for a thousand connections.
const HEAD_MAX: usize = 64 * 1024;
/// JSON bodies: four times the largest task output (see LIMITS in wtt-connect-protocol(7)).
const JSON_MAX: u64 = 1024 * 1024;
/// Uploads (confirmed, see LIMITS in wtt-connect-protocol(7)).
pub const UPLOAD_MAX: u64 = 100 * 1024 * 1024;
/// A head on loopback arrives at once; a silent connection must not keep its thread.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A whole body or response.
const BODY_TIME: Duration = Duration::from_secs(120);

/// A parsed request line and its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Upper case.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Decoded path segments, empty ones dropped.
    pub path: Vec<String>,
    /// Decoded query pairs.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first query parameter of that name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether the client asks for a WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|v| v.eq_ignore_ascii_case("websocket"))
    }
}

/// A request with its body.
#[derive(Debug)]
pub struct Request {
    /// The head.
    pub head: Head,
    /// The body.
    pub body: Body,
}

/// Bytes in memory or in a file.
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, with its length.
    File(PathBuf, u64),
}

/// One response.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// What follows.
    pub body: Body,
}

impl Response {
    /// JSON with a status.
    pub fn json(status: u16, value: &serde_json::Value) -> Response {
        let body = Body::Bytes(value.to_string().into_bytes());
        Response { status, content_type: "application/json".to_owned(), body }
    }

    /// An error in the shape of FastAPI: `{"detail": "…"}` (see HTTP in wtt-connect-protocol(7)).
    pub fn error(status: u16, detail: &str) -> Response {
        Response::json(status, &object!({ "detail": detail }))
    }
}

/// A socket whose every call gives up at one deadline, however slowly the other side drips.
struct Timed<'a> {
    socket: &'a TcpStream,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(self.left()?))?;
            match self.socket.read(buf) {
                // a read with a time limit, while the process was stopped and went on
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the head; also returns what was read beyond it.
pub fn read_head(socket: &TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let mut from = Timed { socket, until: Instant::now() + HEAD_TIME };
    let mut seen = Vec::new();
    let mut buf = [0u8; 4096];
    loop {
        if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            let text = String::from_utf8_lossy(&seen);
            let head = parse_head(&text).map_err(|why| io::Error::new(ErrorKind::InvalidData, why))?;
            return Ok((head, rest));
        }
        if seen.len() > HEAD_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "head too large"));
        }
        match from.read(&mut buf)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => seen.extend_from_slice(&buf[..n]),
        }
    }
}

/// Parses a head that ends in an empty line.
pub fn parse_head(text: &str) -> Result<Head, &'static str> {
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (first.next(), first.next(), first.next()) else {
        return Err("bad request line");
    };
    if !version.starts_with("HTTP/1.") || method.is_empty() || !target.starts_with('/') {
        return Err("bad request line");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    for line in lines.take_while(|l| !l.is_empty()) {
        let (name, value) = line.split_once(':').ok_or("bad header line")?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Head {
        method: method.to_ascii_uppercase(),
        target: target.to_owned(),
        path: path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect(),
        query: query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(k, v)| (decode(k, true), decode(v, true)))
            .collect(),
        headers,
    })
}

/// Undoes percent encoding; a broken escape stays as it is.
fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[i], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Why a body was not read.
#[derive(Debug)]
pub enum BodyError {
    /// Larger than allowed: 413.
    TooLarge,
    /// The client stopped, lied or was too slow.
    Io(io::Error),
}

impl From<io::Error> for BodyError {
    fn from(e: io::Error) -> Self {
        BodyError::Io(e)
    }
}

/// Reads the body that `head` announces: into the file `into` (uploads), else into memory.
pub fn read_body(
    socket: &TcpStream,
    head: &Head,
    early: Vec<u8>,
    into: Option<&Path>,
) -> Result<Body, BodyError> {
    let max = if into.is_some() { UPLOAD_MAX } else { JSON_MAX };
    let mut timed = Timed { socket, until: Instant::now() + BODY_TIME };
    if head.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        timed.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut from = io::Cursor::new(early).chain(timed);
    let mut bytes = Vec::new();
    let mut file = into.map(File::create).transpose()?;
    let sink: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => &mut bytes,
    };
    let chunked = head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    let mut total = 0;
    if chunked {
        loop {
            let size = chunk_size(&mut from)?;
            if size > max - total {
                return Err(BodyError::TooLarge);
            }
            copy_exactly(&mut from, sink, size)?;
            total += size;
            let mut end = [0u8; 2];
            from.read_exact(&mut end)?;
            if size == 0 {
                break;
            }
        }
    } else {
        total = head.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        if total > max {
            return Err(BodyError::TooLarge);
        }
        copy_exactly(&mut from, sink, total)?;
    }
    Ok(match into {
        Some(path) => Body::File(path.to_owned(), total),
        None => Body::Bytes(bytes),
    })
}

fn copy_exactly(from: &mut dyn Read, to: &mut dyn Write, size: u64) -> io::Result<()> {
    if io::copy(&mut from.take(size), to)? < size {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads a chunk's size line; extensions are dropped. Trailers are not supported: no client of WTT sends any.
fn chunk_size(from: &mut dyn Read) -> io::Result<u64> {
    let mut line = Vec::new();
    let mut byte = [0u8; 1];
    while line.len() < 64 {
        from.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            let text = String::from_utf8_lossy(&line);
            let hex = text.split(';').next().unwrap_or_default().trim();
            return u64::from_str_radix(hex, 16).map_err(|_| ErrorKind::InvalidData.into());
        }
        line.push(byte[0]);
    }
    Err(ErrorKind::InvalidData.into())
}

/// Writes the response and ends our half of the connection.
pub fn write_response(socket: &TcpStream, response: &Response) -> io::Result<()> {
    let mut to = Timed { socket, until: Instant::now() + BODY_TIME };
    let length = match &response.body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File(_, length) => *length,
    };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        response.status,
        reason(response.status),
        response.content_type,
    );
    to.write_all(head.as_bytes())?;
    match &response.body {
        Body::Bytes(bytes) => to.write_all(bytes)?,
        Body::File(path, _) => {
            io::copy(&mut File::open(path)?, &mut to)?;
        }
    }
    socket.shutdown(std::net::Shutdown::Write)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_split_and_decoded() {
        let head =
            parse_head("get /topics/a%20b/messages?limit=5&q=x+y HTTP/1.1\r\nX-Agent-Token: t\r\n\r\n");
        let head = head.expect("a good head");
        assert_eq!(head.method, "GET");
        assert_eq!(head.path, ["topics", "a b", "messages"]);
        assert_eq!((head.query("limit"), head.query("q")), (Some("5"), Some("x y")));
        assert_eq!(head.header("x-agent-token"), Some("t"));
        assert!(!head.is_upgrade());
    }

    #[test]
    fn bad_heads_are_refused() {
        for bad in [
            "",
            "GET\r\n\r\n",
            "GET / FTP/1.1\r\n\r\n",
            "GET x HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nx\r\n\r\n",
        ] {
            assert!(parse_head(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_broken_escape_stays() {
        assert_eq!(decode("50%", false), "50%");
        assert_eq!(decode("%zz%41", false), "%zzA");
        assert_eq!(decode("%E4%BD%A0", false), "你");
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // a test has no deadline to keep
    fn a_huge_second_chunk_does_not_get_past_the_limit() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (socket, _) = listener.accept().expect("connected");
        let head =
            Head { headers: vec![("transfer-encoding".to_owned(), "chunked".to_owned())], ..Head::default() };
        let early = b"1\r\nx\r\nffffffffffffffff\r\nrest".to_vec();
        assert!(matches!(read_body(&socket, &head, early, None), Err(BodyError::TooLarge)));
    }

    #[test]
    fn chunk_sizes() {
        assert_eq!(chunk_size(&mut &b"1f;x=y\r\n"[..]).expect("hex"), 31);
        assert!(chunk_size(&mut &b"zz\r\n"[..]).is_err());
    }
}
