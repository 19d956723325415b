//! A plain or TLS byte stream, and the TLS settings of all connections that this program opens.
//!
//! The crypto provider (ring) is always passed explicitly: rustls panics when it has to guess among several.
//! Roots are the built-in Mozilla list plus an optional PEM bundle. This file opens no connections.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// The byte stream below a WebSocket.
#[derive(Debug)]
pub enum Stream {
    /// `ws://`
    Plain(TcpStream),
    /// `wss://`
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Wraps a connected socket in TLS for `host` (a DNS name or an IP address). The handshake takes place during the first reads
    /// and writes, with the blocking mode and deadline that the caller uses for those.
    ///
    /// # Errors
    /// When `host` is neither name nor address.
    pub fn tls(config: Arc<ClientConfig>, host: &str, socket: TcpStream) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("`{host}` is no host name")))?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    /// The socket itself, for poll(2) and socket options.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Switches the socket between blocking and non-blocking.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.socket().set_nonblocking(on)
    }

    /// Whether TLS records wait for space in the socket's buffer: poll for output as well.
    pub fn wants_write(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.conn.wants_write(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buf),
            Stream::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(buf),
            Stream::Tls(tls) => tls.write(buf),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}

/// The certificates of a PEM bundle.
///
/// # Errors
/// When the file cannot be read or contains no certificate. The text names the file.
pub fn read_bundle(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let wrong = |why: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("CA file {}: {why}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|e| wrong(e.to_string()))?;
    if found.is_empty() {
        return Err(wrong("no PEM certificate in it".into()));
    }
    Ok(found)
}

/// Client settings with the built-in roots and those of the bundle, if any.
///
/// # Errors
/// When the bundle contains no usable certificate.
pub fn client_config(ca_file: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        // Company bundles often contain a few certificates that webpki cannot read. The others are used.
        let (added, _) = roots.add_parsable_certificates(read_bundle(path)?);
        if added == 0 {
            let why = format!("CA file {}: no usable certificate in it", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
