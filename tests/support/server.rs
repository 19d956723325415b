//! A scripted server on one port that can misbehave in every way: it knows HTTP heads, WebSocket upgrades and TLS,
//! and leaves the rest to a closure that runs in a thread per connection.

use crossbeam_channel::{Receiver, unbounded};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

/// No script waits longer than this for the other side.
pub const PATIENCE: Duration = super::daemon::PATIENCE;

/// A path below `tests/fixtures`.
pub fn fixture(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// A listening server; dropping it stops accepting.
pub struct Server {
    pub port: u16,
    /// One entry per accepted connection.
    pub accepts: Receiver<Instant>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Runs `script` for each connection.
    pub fn start(script: impl Fn(Visit) + Send + Sync + 'static) -> Server {
        Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), None, script)
    }

    /// The same over TLS, with a certificate for `localhost` that `fixtures/tls/ca.pem` has signed.
    pub fn start_tls(script: impl Fn(Visit) + Send + Sync + 'static) -> Server {
        Server::start_tls_with(rustls::crypto::ring::default_provider(), script)
    }

    /// The same over TLS with the algorithms of `provider`.
    pub fn start_tls_with(
        provider: CryptoProvider,
        script: impl Fn(Visit) + Send + Sync + 'static,
    ) -> Server {
        let chain = vec![CertificateDer::from_pem_file(fixture("tls/server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(fixture("tls/server.key")).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), Some(Arc::new(config)), script)
    }

    /// The same on a listener that the caller has made.
    pub fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Visit) + Send + Sync + 'static,
    ) -> Server {
        let port = listener.local_addr().unwrap().port();
        let (tx, accepts) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, script) = (stop.clone(), Arc::new(script));
        std::thread::spawn(move || {
            for (i, socket) in listener.incoming().enumerate() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(socket) = socket else { continue };
                let _ = tx.send(Instant::now());
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                socket.set_write_timeout(Some(PATIENCE)).unwrap();
                socket.set_nodelay(true).unwrap();
                let (script, tls) = (script.clone(), tls.clone());
                std::thread::spawn(move || script(Visit { n: i + 1, socket, tls }));
            }
        });
        Server { port, accepts, stop }
    }

    /// The WebSocket URL of agent `a`.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws/a", self.port)
    }

    /// Waits for the next connection.
    pub fn accepted(&self) -> Instant {
        self.accepts.recv_timeout(PATIENCE).expect("a connection within the time limit")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A connection that nothing has been read from.
pub struct Visit {
    /// 1 for the first connection.
    pub n: usize,
    pub socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
}

impl Visit {
    /// Reads the head (and the body, where a length is given).
    pub fn request(self) -> Request {
        let raw = self.socket.try_clone().unwrap();
        let mut pipe: Pipe = match self.tls {
            None => Pipe::Plain(self.socket),
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                Pipe::Tls(Box::new(StreamOwned::new(connection, self.socket)))
            }
        };
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match pipe.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut request = Request { n: self.n, head, body: String::new(), pipe, raw };
        if let Some(length) = request.header("content-length").and_then(|v| v.parse().ok()) {
            let mut body = vec![0; length];
            request.pipe.read_exact(&mut body).unwrap();
            request.body = String::from_utf8(body).unwrap();
        }
        request
    }

    /// Reads whatever comes and says nothing.
    pub fn swallow(self) {
        let _ = std::io::copy(&mut &self.socket, &mut std::io::sink());
    }

    /// Reads the head, upgrades, and answers the auth request with yes.
    pub fn welcome(self) -> Peer {
        let mut peer = self.request().upgrade();
        peer.accept_auth();
        peer
    }
}

/// A request whose head has been read; empty when the client left.
pub struct Request {
    pub n: usize,
    pub head: String,
    pub body: String,
    pub pipe: Pipe,
    /// The bare socket, for faults below the protocol.
    pub raw: TcpStream,
}

impl Request {
    /// Method and path, e.g. `GET /ws/a`.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|l| l.split_once(':'));
        fields.find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// Answers and closes. `head` is the status and any header lines, e.g. `503 Busy\r\nRetry-After: 1`.
    pub fn respond(mut self, head: &str, body: &str) {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        let _ = self.pipe.write_all(answer.as_bytes());
        let _ = self.pipe.flush();
    }

    /// Becomes a WebSocket.
    pub fn upgrade(mut self) -> Peer {
        let key = derive_accept_key(self.header("sec-websocket-key").unwrap_or_default().as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n"
        );
        let _ = self.pipe.write_all(answer.as_bytes());
        let _ = self.pipe.flush();
        let ws = WebSocket::from_raw_socket(self.pipe, Role::Server, None);
        Peer { n: self.n, ws, raw: self.raw }
    }
}

/// The server's end of a WebSocket.
pub struct Peer {
    pub n: usize,
    pub ws: WebSocket<Pipe>,
    /// The bare socket, for faults below the protocol.
    pub raw: TcpStream,
}

impl Peer {
    /// The next message of the client; None when the connection is over.
    pub fn next(&mut self) -> Option<Message> {
        self.ws.read().ok()
    }

    /// The next text that is not a `ping`; pings are answered.
    pub fn text(&mut self) -> Option<String> {
        loop {
            match self.next()? {
                Message::Text(t) if t.as_str() == "ping" => self.send("pong"),
                Message::Text(t) => return Some(t.as_str().to_owned()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    pub fn send(&mut self, text: &str) {
        let _ = self.ws.send(Message::text(text));
    }

    /// Reads the auth frame.
    pub fn auth(&mut self) -> Value {
        let frame: Value = serde_json::from_str(&self.text().unwrap_or_default()).unwrap_or_default();
        assert_eq!(frame["action"], "auth", "the first frame authenticates");
        frame
    }

    /// Reads the auth frame and says yes.
    pub fn accept_auth(&mut self) {
        let id = self.auth()["request_id"].clone();
        let data = json!({"authenticated": true, "agent_display_name": "Alice"});
        self.send(&json!({"type": "action_result", "request_id": id, "ok": true, "data": data}).to_string());
    }

    /// Closes, and waits until the client has done so as well. Returns the client's close frame.
    pub fn close(mut self, code: u16, reason: &str) -> Option<CloseFrame> {
        let _ = self.ws.close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }));
        while let Some(message) = self.next() {
            if let Message::Close(frame) = message {
                return frame;
            }
        }
        None
    }

    /// Answers pings until the client goes; returns its close frame.
    pub fn stay(mut self) -> Option<CloseFrame> {
        loop {
            match self.next()? {
                Message::Text(t) if t.as_str() == "ping" => self.send("pong"),
                Message::Close(frame) => return frame,
                _ => {}
            }
        }
    }

    /// Resets the TCP connection.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.raw, Some(Duration::ZERO)).unwrap();
    }
}

/// A plain or TLS stream of the server.
pub enum Pipe {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Pipe {
    /// A call with a time limit is interrupted when the process is stopped and goes on.
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = match self {
                Pipe::Plain(s) => s.read(buf),
                Pipe::Tls(s) => s.read(buf),
            };
            match read {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        match self {
            Pipe::Plain(s) => s.write(buf),
            Pipe::Tls(s) => s.write(buf),
        }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Pipe::Plain(s) => s.flush(),
            Pipe::Tls(s) => s.flush(),
        }
    }
}
