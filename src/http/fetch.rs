//! Downloads files of messages. Redirects are followed here, the token is sent to the service only, and private
//! addresses are refused ([`crate::http::address_guard`]). Bodies are streamed; the caller limits their length.

use super::proxy::Proxies;
use super::{HttpError, agent, authorize, reason, tls_config};
use crate::http::address_guard::{AddressGuard, Origin};
use crate::secret::Secret;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls::ClientConfig;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body};

/// Most redirects of one download.
const REDIRECTS: usize = 3;
/// Longest URL that is requested.
const URL_MAX_BYTES: usize = 4096;
/// Time limit of one file, from the connection to the last byte: 100 MiB over a slow line.
pub(super) const FILE_TOTAL: Duration = Duration::from_secs(600);
/// Time limit of the check whether a file still exists: a silent server must not delay the next files.
const GLANCE: Duration = Duration::from_secs(10);

/// Fetches files; may be shared between threads.
#[derive(Debug)]
pub struct Fetcher {
    service: Option<Origin>,
    token: Secret,
    proxies: Proxies,
    tls: Arc<ClientConfig>,
    guard: AddressGuard,
}

/// A file that is being fetched.
pub struct Download {
    /// Its bytes.
    pub body: Box<dyn Read + Send>,
    /// Its length, if the server states it.
    pub length: Option<u64>,
    /// `image/png` and so on, in lower case, without parameters; empty if the server does not state it.
    pub media_type: String,
}

impl Fetcher {
    /// Creates a fetcher for messages of the service at `base_url`. `trusted`: further hosts that may have private
    /// addresses.
    pub fn new(
        base_url: &str,
        token: Secret,
        ca_file: Option<&Path>,
        trusted: &[String],
    ) -> Result<Fetcher, HttpError> {
        let tls = tls_config(ca_file)?;
        let service = Origin::of(base_url);
        let guard = AddressGuard::on(service.clone(), trusted);
        Ok(Fetcher { service, token, proxies: Proxies::from_env(), tls, guard })
    }

    /// The absolute form of a URL in a message (see FILES in wtt-connect-protocol(7)): `//host/…` is https, `/…` and
    /// `media/…` belong to the service.
    pub fn absolute(&self, url: &str) -> Result<String, HttpError> {
        let url = plain(url.trim());
        if url.len() > URL_MAX_BYTES {
            return Err(HttpError::Offline("its address is too long".into()));
        }
        if url.contains("://") {
            return Ok(url);
        }
        if let Some(rest) = url.strip_prefix("//") {
            return Ok(format!("https://{rest}"));
        }
        match &self.service {
            Some(service) => Ok(format!("{}/{}", service.url(), url.trim_start_matches('/'))),
            None => Err(HttpError::Offline("its address is incomplete".into())),
        }
    }

    /// Opens a URL. Blocks until the headers of the response have arrived.
    pub fn open(&self, url: &str) -> Result<Download, HttpError> {
        self.open_within(url, FILE_TOTAL)
    }

    /// Whether a file certainly does not exist any more. Only the headers of the response are read.
    pub fn is_gone(&self, url: &str) -> bool {
        matches!(self.open_within(url, GLANCE), Err(HttpError::Status(404 | 410, _)))
    }

    fn open_within(&self, url: &str, total: Duration) -> Result<Download, HttpError> {
        let mut url = self.absolute(url)?;
        for _ in 0..=REDIRECTS {
            let response = self.hop(&url, total)?;
            let headers = response.headers();
            let status = response.status().as_u16();
            let (true, Some(to)) =
                (matches!(status, 301 | 302 | 303 | 307 | 308), header(headers, "location"))
            else {
                return incoming(response);
            };
            url =
                join(&url, &plain(to)).ok_or_else(|| HttpError::Offline("it redirects to nowhere".into()))?;
        }
        Err(HttpError::Offline(format!("it redirects more than {REDIRECTS} times")))
    }

    /// Performs one request. If a signed URL of the service refuses the token, the request is repeated without it.
    fn hop(&self, url: &str, total: Duration) -> Result<Response<Body>, HttpError> {
        let (agent, origin) = self.agent(url, total)?;
        let ours = self.service.as_ref() == Some(&origin) && is_media(url) && !self.token.is_empty();
        let response = self.get(&agent, url, &origin, ours)?;
        if ours && matches!(response.status().as_u16(), 400 | 401 | 403) {
            return self.get(&agent, url, &origin, false);
        }
        Ok(response)
    }

    /// A client for exactly this URL, after checks of its scheme and, if a proxy resolves the name, of its host.
    pub(super) fn agent(&self, url: &str, total: Duration) -> Result<(Agent, Origin), HttpError> {
        let refuse = |why: &str| HttpError::Offline(why.to_owned());
        let origin = Origin::of(url).ok_or_else(|| refuse("its address is not an http or https URL"))?;
        let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(refuse("its address holds a login"));
        }
        if !origin.secure && self.service.as_ref().is_some_and(|service| service.secure) {
            return Err(refuse("its address is not an https URL"));
        }
        if self.proxies.choose(origin.secure, &origin.host, origin.port).is_ok_and(|proxy| proxy.is_some()) {
            self.guard.check(&origin).map_err(|e| refuse(&e.to_string()))?;
        }
        let agent = agent(&self.tls, &self.proxies, &origin.url(), total, self.guard.clone())?;
        Ok((agent, origin))
    }

    fn get(
        &self,
        agent: &Agent,
        url: &str,
        origin: &Origin,
        with_token: bool,
    ) -> Result<Response<Body>, HttpError> {
        let mut request = Request::builder()
            .uri(url)
            .header("Accept", "image/*,*/*;q=0.8")
            .header("Accept-Encoding", "identity");
        if with_token {
            request = authorize(request, &self.token);
        }
        let request = request.body(()).map_err(|_| HttpError::Offline("its address is not a URL".into()))?;
        agent.run(request).map_err(|e| HttpError::Offline(format!("{}: {}", origin.host, reason(&e))))
    }
}

/// Whether the token may be sent: only for stored files. A message must not make the connector read anything else that
/// the service shows to this agent.
fn is_media(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default().to_ascii_lowercase();
    path.contains("/media/") && !["..", "%2e", "%2f", "\\", "%5c"].iter().any(|odd| path.contains(odd))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The download of a response, or its error.
pub(super) fn incoming(response: Response<Body>) -> Result<Download, HttpError> {
    let status = response.status();
    if !status.is_success() {
        let words = status.canonical_reason().unwrap_or_default().to_owned();
        return Err(HttpError::Status(status.as_u16(), words));
    }
    let headers = response.headers();
    if header(headers, "content-encoding").is_some_and(|how| !how.trim().eq_ignore_ascii_case("identity")) {
        return Err(HttpError::Offline("it comes packed, which was not asked for".into()));
    }
    let kind = header(headers, "content-type").unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let length = header(headers, "content-length").and_then(|n| n.trim().parse().ok());
    Ok(Download { body: Box::new(response.into_body().into_reader()), length, media_type })
}

/// The absolute target of a redirect.
fn join(url: &str, to: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if to.contains("://") {
        return Some(to.to_owned());
    }
    if let Some(rest) = to.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(path_at);
    if to.starts_with('/') {
        return Some(format!("{scheme}://{host}{to}"));
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{host}{folder}/{to}"))
}

/// Removes the fragment, and encodes blanks and characters outside ASCII, because URLs may contain file names as typed.
fn plain(url: &str) -> String {
    const CONTROLS_AND_BLANKS: &AsciiSet = &CONTROLS.add(b' ');
    let without_fragment = url.split('#').next().unwrap_or_default();
    utf8_percent_encode(without_fragment, CONTROLS_AND_BLANKS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        let fetcher = Fetcher::new("https://wtt.example/api/v1", Secret::default(), None, &[]).unwrap();
        for (url, want) in [
            ("/media/1", "https://wtt.example:443/media/1"),
            (" media/1 ", "https://wtt.example:443/media/1"),
            ("//cdn.example/a b", "https://cdn.example/a%20b"),
            ("https://a.example/ä.png?x=1#top", "https://a.example/%C3%A4.png?x=1"),
        ] {
            assert_eq!(fetcher.absolute(url).unwrap(), want);
        }
        assert!(fetcher.absolute(&"x".repeat(5000)).is_err());
    }

    #[test]
    fn the_token_opens_stored_files_only() {
        for (url, want) in [
            ("https://w/media/0123", true),
            ("https://w/api/v1/media/0123?variant=thumb", true),
            ("https://w/topics/1/messages", false),
            ("https://w/media/../topics/1", false),
            ("https://w/media/%2E%2e/topics/1", false),
            ("https://w/topics?x=/media/1", false),
        ] {
            assert_eq!(is_media(url), want, "{url}");
        }
    }

    #[test]
    fn a_glance_does_not_wait_for_a_server_that_keeps_silent() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", server.local_addr().unwrap());
        let fetcher = Fetcher::new(&base, Secret::default(), None, &[]).unwrap();
        let opened = fetcher.open_within("/media/1", Duration::from_millis(50));
        assert!(matches!(opened, Err(HttpError::Offline(_))));
        // a few of them are looked at in a row: redirects
        assert!(GLANCE * 10 < FILE_TOTAL);
    }

    #[test]
    fn redirects_are_followed_as_browsers_do() {
        for (from, to, want) in [
            ("https://a/b/c?d", "https://x/y", "https://x/y"),
            ("https://a/b/c?d", "//x/y", "https://x/y"),
            ("https://a/b/c?d=/e", "/y", "https://a/y"),
            ("https://a:1/b/c?d=/e", "y?z", "https://a:1/b/y?z"),
            ("https://a", "y", "https://a/y"),
        ] {
            assert_eq!(join(from, to).as_deref(), Some(want));
        }
    }
}
