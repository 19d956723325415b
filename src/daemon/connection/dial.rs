//! From a URL to an open WebSocket: resolve, connect (through a proxy where one is set), TLS, upgrade.
//!
//! Everything but the name lookup obeys one deadline and ends at once when the daemon is closed, however slowly
//! the other side drips. Redirects are not followed: a token must not travel to another host.

use super::backoff::retry_after;
use crate::http::proxy::{Proxies, Proxy};
use crate::http::token_policy::status_refuses_token;
use crate::sys::poll::{WakeReceiver, time_until, wait_for_socket};
use crate::sys::tcp;
use crate::sys::tls::Stream;
use crate::sys::websocket_loop;
use rustls::ClientConfig;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::{ClientHandshake, Response};
use tungstenite::http::{HeaderValue, Uri, header};
use tungstenite::{Error as WsError, WebSocket};

/// Longest answer of a proxy to CONNECT.
const PROXY_HEAD_MAX_BYTES: usize = 8 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// Try again later, not before the time that the server asked for.
    Retry(String, Option<Duration>),
    /// The service refuses the token.
    Refused(String),
    /// The daemon is being closed.
    Cancelled,
}

fn retry(why: impl Into<String>) -> DialError {
    DialError::Retry(why.into(), None)
}

/// What a dial needs besides the URL.
pub(crate) struct Dial<'a> {
    pub(crate) proxies: &'a Proxies,
    pub(crate) tls: Arc<ClientConfig>,
    /// For the kernel's own detection of dead peers.
    pub(crate) dead: Duration,
    /// For everything together.
    pub(crate) until: Instant,
    /// Interrupts the waiting; `give_up` then says whether to stop.
    pub(crate) wake: &'a mut WakeReceiver,
    pub(crate) give_up: &'a dyn Fn() -> bool,
}

impl Dial<'_> {
    /// Opens the WebSocket; its socket is non-blocking.
    pub(crate) fn open(mut self, url: &str) -> Result<WebSocket<Stream>, DialError> {
        let uri: Uri = url.parse().map_err(|_| retry(format!("`{url}` is not a URL")))?;
        let secure = uri.scheme_str() == Some("wss");
        let name = uri.host().ok_or_else(|| retry(format!("`{url}` names no host")))?;
        let host = name.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let socket = match self.proxies.choose(secure, host, port).map_err(retry)? {
            None => self.connect(host, port)?,
            Some(proxy) => {
                let socket =
                    self.connect(&proxy.host, proxy.port).map_err(|e| e.prefix(&format!("proxy {proxy}")))?;
                self.tunnel(&socket, proxy, &format!("{name}:{port}"))
                    .map_err(|e| e.prefix(&format!("proxy {proxy}")))?;
                socket
            }
        };
        tcp::configure(&socket, self.dead);
        let stream = if secure {
            Stream::tls(self.tls.clone(), host, socket).map_err(|e| retry(e.to_string()))?
        } else {
            Stream::Plain(socket)
        };
        self.upgrade(stream, uri)
    }

    fn connect(&mut self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let addresses: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|e| retry(format!("cannot find the address of {host}: {}", brief(&e))))?
            .collect();
        tcp::connect(&addresses, self.until, self.wake, self.give_up).map_err(|e| match e.kind() {
            ErrorKind::Interrupted => DialError::Cancelled,
            ErrorKind::TimedOut => retry(format!("{host}:{port} does not answer")),
            _ => retry(format!("cannot connect to {host}:{port}: {}", brief(&e))),
        })
    }

    fn tunnel(&mut self, mut socket: &TcpStream, proxy: &Proxy, target: &str) -> Result<(), DialError> {
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some((user, password)) = &proxy.login {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let login = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            head.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
        }
        head.push_str("\r\n");
        let mut rest = head.as_bytes();
        while !rest.is_empty() {
            match socket.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.ready(socket, true)?,
                Err(e) => return Err(retry(brief(&e))),
            }
        }
        // Byte by byte: what follows the head belongs to the tunnel.
        let mut answer = Vec::new();
        let mut byte = [0u8];
        while !answer.ends_with(b"\r\n\r\n") {
            match socket.read(&mut byte) {
                Ok(0) => return Err(retry("it closed the connection")),
                Ok(_) if answer.len() >= PROXY_HEAD_MAX_BYTES => return Err(retry("its answer is too long")),
                Ok(_) => answer.push(byte[0]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.ready(socket, false)?,
                Err(e) => return Err(retry(brief(&e))),
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        let line = answer.lines().next().unwrap_or_default();
        match line.split(' ').nth(1) {
            Some(code) if line.starts_with("HTTP/1.") && code.starts_with('2') => Ok(()),
            Some("407") => Err(retry("it asks for a user and password; put them into its URL")),
            _ => Err(retry(format!("it refuses to connect to {target} ({})", crop(line)))),
        }
    }

    fn upgrade(&mut self, stream: Stream, uri: Uri) -> Result<WebSocket<Stream>, DialError> {
        let host = uri.host().unwrap_or_default().to_owned();
        let mut request = uri.into_client_request().map_err(|e| retry(e.to_string()))?;
        let agent = HeaderValue::from_static(concat!("wtt-connect/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        let start = ClientHandshake::start(stream, request, Some(websocket_loop::websocket_config()));
        let mut step = start.map_err(|e| retry(e.to_string()))?.handshake();
        loop {
            match step {
                Ok((ws, _)) => return Ok(ws),
                Err(HandshakeError::Failure(e)) => return Err(explain(e, &host)),
                Err(HandshakeError::Interrupted(mid)) => {
                    // The request is far smaller than any socket buffer, so only TLS can wait for room.
                    let stream = mid.get_ref().get_ref();
                    self.ready(stream.socket(), stream.wants_write()).map_err(|e| e.prefix(&host))?;
                    step = mid.handshake();
                }
            }
        }
    }

    /// Waits until the socket is ready, the deadline has passed or the daemon is closed.
    fn ready(&mut self, socket: &TcpStream, output: bool) -> Result<(), DialError> {
        loop {
            // Asked before each sleep, not only when woken: an earlier wait may have consumed the wake-up.
            if (self.give_up)() {
                return Err(DialError::Cancelled);
            }
            let left = time_until(self.until);
            if left.is_zero() {
                return Err(retry("no complete answer within the time limit"));
            }
            let ready = wait_for_socket(Some((socket, output)), Some(self.wake), Some(left))
                .map_err(|e| retry(brief(&e)))?;
            if ready.is_readable || (output && ready.is_writable) {
                return Ok(());
            }
        }
    }
}

impl DialError {
    fn prefix(self, who: &str) -> DialError {
        match self {
            DialError::Retry(why, after) => DialError::Retry(format!("{who}: {why}"), after),
            DialError::Refused(why) => DialError::Refused(format!("{who}: {why}")),
            DialError::Cancelled => DialError::Cancelled,
        }
    }
}

fn explain(error: WsError, host: &str) -> DialError {
    match error {
        WsError::Http(response) => explain_status(&response, host),
        WsError::Io(e) if e.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => retry(format!(
            "no trusted TLS connection to {host}: {e}; a company's own CA goes into WTT_CONNECT_CA_FILE"
        )),
        WsError::Io(e) => retry(format!("{host}: {}", brief(&e))),
        error => retry(format!("{host} answered, but not as a WTT service ({error})")),
    }
}

fn explain_status(response: &Response, host: &str) -> DialError {
    let status = response.status();
    let text = |name| response.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    match status.as_u16() {
        code if status_refuses_token(code) => {
            DialError::Refused(format!("the service at {host} refuses the token (HTTP {code})"))
        }
        300..=399 => {
            let target =
                text(header::LOCATION).unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
            retry(format!(
                "{host} redirects to `{}`, which is not followed; set WTT_BASE_URL to it",
                crop(target)
            ))
        }
        _ => {
            let after = text(header::RETRY_AFTER).and_then(|v| retry_after(v, jiff::Timestamp::now()));
            // A gateway in front of a service that is down says 5xx, and one that is overrun 429.
            let why = match status.as_u16() {
                429 | 500.. => format!("{host} answers HTTP {status}"),
                _ => format!("{host} answered, but not as a WTT service (HTTP {status})"),
            };
            DialError::Retry(why, after)
        }
    }
}

/// The reason in plain words, without "(os error 111)".
pub(crate) fn brief(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// One short line of what a stranger sent.
fn crop(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
