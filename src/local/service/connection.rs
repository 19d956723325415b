//! One connection, on a thread of its own: reads the head of the request, and then serves one HTTP exchange or a
//! WebSocket.
//!
//! Decides nothing about WTT: requests and frames go to the event loop, which owns all state.

use super::event_loop::LoopInput;
use super::http::{self, Body, BodyError, RequestHead, ServiceRequest, ServiceResponse};
use crate::sys::tls::Stream;
use crate::sys::websocket_loop::{self, Driver, Flow, LoopEnd};
use crossbeam_channel::{Sender, bounded};
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// A socket that does not authenticate within this is dropped: clients do so at once.
const AUTH_TIME: Duration = Duration::from_secs(15);
/// The event loop answers from memory; only a stopped service makes a request wait.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Serves one accepted connection to its end.
pub fn serve_connection(connection_id: u64, socket: TcpStream, inputs: &Sender<LoopInput>, uploads: &Path) {
    let outcome = match http::read_head(&socket) {
        Ok((head, early)) if head.is_upgrade() => {
            serve_web_socket(connection_id, socket, &head, early, inputs)
        }
        Ok((head, early)) => serve_http(connection_id, &socket, head, early, inputs, uploads),
        Err(e) => answer_bad_request(&socket, &e),
    };
    if let Err(e) = outcome {
        log::debug!("local service: connection {connection_id}: {e}");
    }
}

fn answer_bad_request(socket: &TcpStream, error: &io::Error) -> io::Result<()> {
    http::write_response(socket, &ServiceResponse::error(400, &error.to_string()))
}

fn serve_http(
    connection_id: u64,
    socket: &TcpStream,
    head: RequestHead,
    early: Vec<u8>,
    inputs: &Sender<LoopInput>,
    uploads: &Path,
) -> io::Result<()> {
    let upload = (head.method == "PUT" && head.path.iter().any(|s| s == "upload-direct"))
        .then(|| uploads.join(format!("part-{connection_id}")));
    let body = match http::read_body(socket, &head, early, upload.as_deref()) {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return http::write_response(socket, &ServiceResponse::error(413, "the body is too large"));
        }
        Err(BodyError::Io(e)) => return Err(e),
    };
    let file = match &body {
        Body::File(path, _) => Some(path.clone()),
        Body::Bytes(_) => None,
    };
    let (reply, answer) = bounded(1);
    let is_sent = inputs.send(LoopInput::Http { request: ServiceRequest { head, body }, reply }).is_ok();
    let response = is_sent.then(|| answer.recv_timeout(ANSWER_TIME).ok()).flatten();
    if let Some(part) = file {
        // The event loop has renamed it if it was wanted.
        let _ = std::fs::remove_file(part);
    }
    match response {
        Some(response) => http::write_response(socket, &response),
        None => Ok(()),
    }
}

fn serve_web_socket(
    connection_id: u64,
    socket: TcpStream,
    head: &RequestHead,
    early: Vec<u8>,
    inputs: &Sender<LoopInput>,
) -> io::Result<()> {
    let agent = match head.path.iter().position(|s| s == "ws").map(|at| &head.path[at + 1..]) {
        Some([agent]) => agent.clone(),
        _ => return http::write_response(&socket, &ServiceResponse::error(404, "Not Found")),
    };
    let mut request = tungstenite::http::Request::builder().method("GET").uri(&head.target);
    for (name, value) in &head.headers {
        request = request.header(name, value);
    }
    let response = request.body(()).map_err(io::Error::other);
    let response = match response.and_then(|r| create_response(&r).map_err(io::Error::other)) {
        Ok(response) => response,
        Err(e) => return answer_bad_request(&socket, &e),
    };
    socket.set_write_timeout(Some(AUTH_TIME))?;
    write_response(&socket, &response).map_err(io::Error::other)?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    let (out, mut queue) = websocket_loop::send_queue()?;
    let open = LoopInput::Open { socket_id: connection_id, agent, out, socket: socket.try_clone()? };
    if inputs.send(open).is_err() {
        return Ok(());
    }
    let stream = Stream::Plain(socket);
    let mut ws =
        WebSocket::from_partially_read(stream, early, Role::Server, Some(websocket_loop::websocket_config()));
    let mut driver = SocketDriver { connection_id, inputs, auth_deadline: Some(Instant::now() + AUTH_TIME) };
    let reason = match websocket_loop::run(&mut ws, &mut queue, &mut driver) {
        Ok(LoopEnd::PeerClosed(Some((code, reason)))) => format!("closed by the peer: {code} {reason}"),
        Ok(LoopEnd::PeerClosed(None)) => "closed by the peer".to_owned(),
        Ok(LoopEnd::DriverClosed | LoopEnd::SendersDropped) => "closed by the service".to_owned(),
        Err(e) => e.to_string(),
    };
    let _ = inputs.send(LoopInput::Closed { socket_id: connection_id, reason });
    Ok(())
}

struct SocketDriver<'a> {
    connection_id: u64,
    inputs: &'a Sender<LoopInput>,
    /// Cleared by the first frame; whether that authenticates is for the event loop to say.
    auth_deadline: Option<Instant>,
}

impl Driver for SocketDriver<'_> {
    fn on_message(&mut self, message: Message) -> Flow {
        self.auth_deadline = None;
        let text = match message {
            Message::Text(text) => text.as_str().to_owned(),
            Message::Binary(_) => "a binary frame".to_owned(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                return Flow::Continue;
            }
        };
        match self.inputs.send(LoopInput::Text { socket_id: self.connection_id, text }) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::End,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.auth_deadline
    }

    fn on_deadline(&mut self, _now: Instant) -> Flow {
        Flow::End
    }
}
