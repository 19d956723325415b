//! HTTP/1.1 as far as a local service needs it: one request per connection, bounded and with a deadline.
//!
//! Reads a head, then a body into memory or into a file, and writes one response. Knows no routes.

use serde_json::json;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Head of a request: far above what clients send, small enough for hundreds of connections.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request: several times what browsers send.
const HEADERS_MAX: usize = 100;
/// JSON bodies: four times the largest task output, see LIMITS in wtt-connect-protocol(7).
const JSON_BYTES_MAX: u64 = 1024 * 1024;
/// Uploads, see LIMITS in wtt-connect-protocol(7).
pub const UPLOAD_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// A head arrives at once on loopback; a silent connection must not keep its thread.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A whole body or response: an upload of the largest size from a slow disk.
const BODY_TIME: Duration = Duration::from_secs(120);

/// The request line and the headers of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// In upper case.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Decoded path segments, without empty ones.
    pub path: Vec<String>,
    /// Decoded query parameters: name and value.
    pub query: Vec<(String, String)>,
    /// Name, in lower case, and value.
    pub headers: Vec<(String, String)>,
}

impl RequestHead {
    /// The first header of a name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first query parameter of a name.
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
pub struct ServiceRequest {
    /// Request line and headers.
    pub head: RequestHead,
    /// Empty if the head announces none.
    pub body: Body,
}

/// The body of a request or response.
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file: path and length in bytes.
    File(PathBuf, u64),
}

/// The response to one request.
#[derive(Debug)]
pub struct ServiceResponse {
    /// Status code.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// Sent with its `Content-Length`.
    pub body: Body,
}

impl ServiceResponse {
    /// JSON with a status.
    pub fn json(status: u16, value: &serde_json::Value) -> ServiceResponse {
        let body = Body::Bytes(value.to_string().into_bytes());
        ServiceResponse { status, content_type: "application/json".to_owned(), body }
    }

    /// An error in the shape of FastAPI: `{"detail": "…"}` (see HTTP in wtt-connect-protocol(7)).
    pub fn error(status: u16, detail: &str) -> ServiceResponse {
        ServiceResponse::json(status, &json!({ "detail": detail }))
    }
}

/// A socket with one deadline for all its reads and writes, however slowly the other side sends.
struct TimedSocket<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl TimedSocket<'_> {
    fn time_left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for TimedSocket<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(self.time_left()?))?;
            match self.socket.read(buf) {
                // The process was stopped and continued during a read with a time limit.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for TimedSocket<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.time_left()?))?;
        self.socket.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the head of a request. Returns it with the bytes that were read beyond it. A head that is malformed or larger
/// than [`HEAD_BYTES_MAX`] is an error of kind `InvalidData`.
pub fn read_head(socket: &TcpStream) -> io::Result<(RequestHead, Vec<u8>)> {
    let mut source = TimedSocket { socket, deadline: Instant::now() + HEAD_TIME };
    let mut received = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        if let Some((head, length)) = parse_head(&received)? {
            return Ok((head, received.split_off(length)));
        }
        if received.len() > HEAD_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "the head is too large"));
        }
        match source.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => received.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Parses a head and its length in bytes; None while its end has not been received.
pub fn parse_head(received: &[u8]) -> io::Result<Option<(RequestHead, usize)>> {
    let invalid = |e: httparse::Error| io::Error::new(ErrorKind::InvalidData, e);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(received).map_err(invalid)? else {
        return Ok(None);
    };
    let target = parsed.path.filter(|target| target.starts_with('/'));
    let target = target.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the target is not a path"))?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let value = |header: &httparse::Header<'_>| String::from_utf8_lossy(header.value).trim().to_owned();
    let head = RequestHead {
        method: parsed.method.unwrap_or_default().to_ascii_uppercase(),
        target: target.to_owned(),
        path: path.split('/').filter(|s| !s.is_empty()).map(decode).collect(),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(&name.replace('+', " ")), decode(&value.replace('+', " "))))
            .collect(),
        headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), value(h))).collect(),
    };
    Ok(Some((head, length)))
}

/// Undoes percent encoding; a broken escape stays as it is.
fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Why a body was not read.
#[derive(Debug)]
pub enum BodyError {
    /// It is larger than allowed; answered with 413.
    TooLarge,
    /// The client stopped, sent something malformed, or was too slow.
    Io(io::Error),
}

impl From<io::Error> for BodyError {
    fn from(e: io::Error) -> Self {
        BodyError::Io(e)
    }
}

/// Reads the body that `head` announces, into a new `file` (uploads) or else into memory. `early` is what was read beyond
/// the head.
pub fn read_body(
    socket: &TcpStream,
    head: &RequestHead,
    early: Vec<u8>,
    file: Option<&Path>,
) -> Result<Body, BodyError> {
    let max = if file.is_some() { UPLOAD_BYTES_MAX } else { JSON_BYTES_MAX };
    let mut timed = TimedSocket { socket, deadline: Instant::now() + BODY_TIME };
    if head.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        timed.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut source = io::Cursor::new(early).chain(timed);
    let mut bytes = Vec::new();
    let mut open_file = file.map(File::create).transpose()?;
    let sink: &mut dyn Write = match &mut open_file {
        Some(open_file) => open_file,
        None => &mut bytes,
    };
    let is_chunked = head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    let mut total = 0;
    if is_chunked {
        loop {
            let size = read_chunk_size(&mut source)?;
            if size > max - total {
                return Err(BodyError::TooLarge);
            }
            copy_exactly(&mut source, sink, size)?;
            total += size;
            let mut end = [0u8; 2];
            source.read_exact(&mut end)?;
            if size == 0 {
                break;
            }
        }
    } else {
        total = head.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        if total > max {
            return Err(BodyError::TooLarge);
        }
        copy_exactly(&mut source, sink, total)?;
    }
    Ok(match file {
        Some(path) => Body::File(path.to_owned(), total),
        None => Body::Bytes(bytes),
    })
}

fn copy_exactly(source: &mut dyn Read, sink: &mut dyn Write, size: u64) -> io::Result<()> {
    if io::copy(&mut source.take(size), sink)? < size {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads the line with the size of a chunk, in bytes; extensions are ignored. Trailers are not supported: no client of WTT
/// sends any.
fn read_chunk_size(source: &mut dyn Read) -> io::Result<u64> {
    let mut line = Vec::new();
    let mut byte = [0u8; 1];
    while line.len() < 64 {
        source.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            let text = String::from_utf8_lossy(&line);
            let hex = text.split(';').next().unwrap_or_default().trim();
            return u64::from_str_radix(hex, 16).map_err(|_| ErrorKind::InvalidData.into());
        }
        line.push(byte[0]);
    }
    Err(ErrorKind::InvalidData.into())
}

/// Writes a response and shuts down the sending half of the connection.
pub fn write_response(socket: &TcpStream, response: &ServiceResponse) -> io::Result<()> {
    let mut sink = TimedSocket { socket, deadline: Instant::now() + BODY_TIME };
    let length = match &response.body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File(_, length) => *length,
    };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        response.status,
        reason_phrase(response.status),
        response.content_type,
    );
    sink.write_all(head.as_bytes())?;
    match &response.body {
        Body::Bytes(bytes) => sink.write_all(bytes)?,
        Body::File(path, _) => {
            io::copy(&mut File::open(path)?, &mut sink)?;
        }
    }
    socket.shutdown(std::net::Shutdown::Write)
}

fn reason_phrase(status: u16) -> &'static str {
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
        let request = b"get /topics/a%20b/messages?limit=5&q=x+y HTTP/1.1\r\nX-Agent-Token: t\r\n\r\nbody";
        let (head, length) = parse_head(request).expect("a good head").expect("a whole head");
        assert_eq!(&request[length..], b"body");
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
            assert!(!matches!(parse_head(bad.as_bytes()), Ok(Some(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_broken_escape_stays() {
        assert_eq!(decode("50%"), "50%");
        assert_eq!(decode("%zz%41"), "%zzA");
        assert_eq!(decode("%E4%BD%A0"), "你");
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // a test has no deadline to keep
    fn a_huge_second_chunk_does_not_get_past_the_limit() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (socket, _) = listener.accept().expect("connected");
        let head = RequestHead {
            headers: vec![("transfer-encoding".to_owned(), "chunked".to_owned())],
            ..RequestHead::default()
        };
        let early = b"1\r\nx\r\nffffffffffffffff\r\nrest".to_vec();
        assert!(matches!(read_body(&socket, &head, early, None), Err(BodyError::TooLarge)));
    }

    #[test]
    fn chunk_sizes() {
        assert_eq!(read_chunk_size(&mut &b"1f;x=y\r\n"[..]).expect("hex"), 31);
        assert!(read_chunk_size(&mut &b"zz\r\n"[..]).is_err());
    }
}
