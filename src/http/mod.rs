//! The blocking HTTP client for the API of the service: limits, proxy, CA roots, and errors in one line.
//!
//! Every call blocks its thread, at most for the total time. Redirects are not followed, so that the token is sent to
//! the intended host only. For the headers, the prefixes and the forms of errors see HTTP in wtt-connect-protocol(7).

pub mod address_guard;
pub mod fetch;
pub mod file_upload;
pub mod multipart;
pub mod proxy;
mod tls;
pub mod token_policy;

use self::proxy::Proxies;
use crate::http::address_guard::{AddressGuard, Origin};
use crate::json;
use crate::secret::Secret;
use crate::text;
use rustls::ClientConfig;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use ureq::http::request::Builder;
use ureq::http::{Request, Response};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body};

/// Time limit of name lookup, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Default time limit of a whole call.
const TOTAL: Duration = Duration::from_secs(60);
/// Longest body that is read; those of the service are far smaller.
const BODY_MAX_BYTES: u64 = 16 << 20;
/// Longest error text that is passed on.
const ERROR_MAX_CHARS: usize = 300;
/// Prefixes under which deployments serve the API, in the order in which they are tried (see HTTP in
/// wtt-connect-protocol(7)).
const PREFIXES: [&str; 3] = ["", "/api", "/api/v1"];
/// A path that every service has, to distinguish a missing resource from an API that has moved.
const PROBE: &str = "/agents/my";

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Base URL; a slash at its end is ignored.
    pub base_url: String,
    /// Sent as `Authorization: Bearer` and `X-Agent-Token`; empty for none.
    pub token: Secret,
    /// Extra CA bundle.
    pub ca_file: Option<PathBuf>,
    /// Proxies of the environment.
    pub proxies: Proxies,
    /// Longest duration of a call.
    pub total: Duration,
}

impl ClientSettings {
    /// The usual settings for a base URL.
    pub fn new(base_url: &str, token: Secret, ca_file: Option<PathBuf>) -> ClientSettings {
        ClientSettings {
            base_url: base_url.to_owned(),
            token,
            ca_file,
            proxies: Proxies::from_env(),
            total: TOTAL,
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// There was no response, for this reason: one line with the host and the cause.
    Offline(String),
    /// The status of a response if it is not 2xx, and its error text in one line.
    Status(u16, String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Offline(why) => f.write_str(why),
            HttpError::Status(status, text) if text.is_empty() => write!(f, "HTTP {status}"),
            HttpError::Status(status, text) => write!(f, "HTTP {status}: {text}"),
        }
    }
}

/// A client of one service; may be shared between threads.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    token: RwLock<Secret>,
    /// Index of the prefix in use; the number of prefixes until it is known.
    prefix: AtomicUsize,
    refused: AtomicBool,
}

/// A method with its body.
#[derive(Clone, Copy)]
enum Call<'a> {
    Get,
    Post(&'a Value),
    Patch(&'a Value),
}

impl Client {
    /// A client with the usual settings. Fails on an unreadable CA file or an unusable proxy.
    pub fn new(base_url: &str, token: Secret, ca_file: Option<PathBuf>) -> Result<Client, HttpError> {
        Client::open(ClientSettings::new(base_url, token, ca_file))
    }

    /// A client with the settings given. Connects on the first call.
    pub fn open(settings: ClientSettings) -> Result<Client, HttpError> {
        let base = settings.base_url.trim_end_matches('/').to_owned();
        let tls = tls_config(settings.ca_file.as_deref())?;
        let agent = agent(&tls, &settings.proxies, &base, settings.total, AddressGuard::off())?;
        let (token, prefix) = (RwLock::new(settings.token), AtomicUsize::new(PREFIXES.len()));
        Ok(Client { agent, base, token, prefix, refused: AtomicBool::new(false) })
    }

    /// GET a path such as `/agents/my`. The value is null for an empty body and text for one that is not JSON.
    pub fn get_json(&self, path: &str) -> Result<(u16, Value), HttpError> {
        self.call(path, Call::Get)
    }

    /// POST a JSON body.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<(u16, Value), HttpError> {
        self.call(path, Call::Post(body))
    }

    /// PATCH with a JSON body.
    pub fn patch_json(&self, path: &str, body: &Value) -> Result<(u16, Value), HttpError> {
        self.call(path, Call::Patch(body))
    }

    /// Performs a call, and determines once under which prefix the API is: 404, 405 and a web page mean "not here". A
    /// refused token proves nothing, because a gateway may refuse it under a wrong prefix as well.
    fn call(&self, path: &str, call: Call<'_>) -> Result<(u16, Value), HttpError> {
        let known = self.prefix.load(Ordering::Relaxed);
        if let Some(prefix) = PREFIXES.get(known) {
            let answer = self.call_once(prefix, path, call)?;
            return match answer.elsewhere().then(|| self.find_moved_api(known)).flatten() {
                Some(prefix) => into_result(self.call_once(prefix, path, call)?),
                None => into_result(answer),
            };
        }
        let mut first: Option<Answer> = None;
        for (index, prefix) in PREFIXES.iter().enumerate() {
            let answer = self.call_once(prefix, path, call)?;
            if answer.is_refusal() {
                // the token is not sent elsewhere unless this is known to be the wrong prefix
                let alone = first.is_none();
                if alone || first.as_ref().is_some_and(Answer::elsewhere) {
                    first = Some(answer);
                }
                if alone {
                    break;
                }
            } else if answer.elsewhere() {
                first.get_or_insert(answer);
            } else {
                if answer.is_api() {
                    self.prefix.store(index, Ordering::Relaxed);
                }
                return into_result(answer);
            }
        }
        match first {
            Some(answer) => into_result(answer),
            None => Err(HttpError::Offline("no address is configured".into())),
        }
    }

    /// The prefix of the API after an update of the service has moved it; none if it has not moved.
    fn find_moved_api(&self, known: usize) -> Option<&'static str> {
        let probe = |index: usize| self.call_once(PREFIXES.get(index)?, PROBE, Call::Get).ok();
        if !probe(known)?.elsewhere() {
            return None;
        }
        let is_here = |index: &usize| probe(*index).is_some_and(|a| a.is_good() && !a.elsewhere());
        let found = (0..PREFIXES.len()).filter(|index| *index != known).find(is_here)?;
        self.prefix.store(found, Ordering::Relaxed);
        PREFIXES.get(found).copied()
    }

    fn token(&self) -> Secret {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses this token from now on. Returns whether it differs from the one before.
    pub fn replace_token(&self, token: Secret) -> bool {
        let mut old = self.token.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = old.expose() != token.expose();
        *old = token;
        is_new
    }

    fn call_once(&self, prefix: &str, path: &str, call: Call<'_>) -> Result<Answer, HttpError> {
        let (method, body) = match call {
            Call::Get => ("GET", None),
            Call::Post(body) => ("POST", Some(body)),
            Call::Patch(body) => ("PATCH", Some(body)),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{prefix}{path}", self.base))
            .header("Accept", "application/json");
        request = authorize(request, &self.token());
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let request = request.body(body.map(Value::to_string).unwrap_or_default()).map_err(|_| {
            HttpError::Offline(format!("`{}{path}` is not a URL, or the token is not plain text", self.base))
        })?;
        let sent = match body {
            // some servers do not accept a GET with a body, even with an empty one
            None => self.agent.run(request.map(|_| ())),
            Some(_) => self.agent.run(request),
        };
        let mut answer = sent.and_then(Answer::read).map_err(|e| HttpError::Offline(self.explain(&e)))?;
        if !answer.is_good() {
            // only error texts are ever shown
            answer.body = self.scrub(&answer.body);
        }
        Ok(answer)
    }

    fn explain(&self, error: &ureq::Error) -> String {
        let host = self.base.rsplit('@').next().unwrap_or_default();
        let why = reason(error);
        let hint = if why.contains("certificate") {
            "; a company's own CA goes into WTT_CONNECT_CA_FILE"
        } else {
            ""
        };
        self.scrub(&format!("cannot reach {host}: {why}{hint}"))
    }

    fn scrub(&self, text: &str) -> String {
        let token = self.token();
        // a shorter one may be part of ordinary words
        if token.expose().len() < crate::sys::log::MIN_SECRET_LEN {
            text.to_owned()
        } else {
            text.replace(token.expose(), "***")
        }
    }
}

/// A response that has been read.
struct Answer {
    status: u16,
    is_page: bool,
    body: String,
}

impl Answer {
    fn read(mut response: Response<Body>) -> Result<Answer, ureq::Error> {
        let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let is_page = kind.to_ascii_lowercase().contains("text/html");
        let status = response.status().as_u16();
        let body =
            response.body_mut().with_config().limit(BODY_MAX_BYTES).lossy_utf8(true).read_to_string()?;
        Ok(Answer { status, is_page, body })
    }

    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the token is refused.
    fn is_refusal(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// Whether it certainly comes from the API; a 5xx may come from a gateway.
    fn is_api(&self) -> bool {
        self.status < 500
    }

    /// Whether the API is not under this prefix. A web front end answers unknown paths with its page.
    fn elsewhere(&self) -> bool {
        matches!(self.status, 404 | 405) || (self.is_good() && self.is_page)
    }
}

fn into_result(answer: Answer) -> Result<(u16, Value), HttpError> {
    let parsed = json::parse::<Value>(&answer.body);
    if answer.is_good() && !answer.is_page {
        let text = answer.body.trim();
        let empty = || if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) };
        return Ok((answer.status, parsed.unwrap_or_else(|_| empty())));
    }
    let said = match parsed {
        Ok(body @ Value::Object(_)) => error_text(&body).unwrap_or_default(),
        _ if answer.is_page => "a web page, not the API".to_owned(),
        _ => answer.body,
    };
    Err(HttpError::Status(answer.status, text::truncate(&text::one_line(&said), ERROR_MAX_CHARS)))
}

/// The error text of a JSON response: a text, an object with one, or a list of these (see HTTP in
/// wtt-connect-protocol(7)).
fn error_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(error_text).collect::<Vec<_>>().join("; ")),
        Value::Object(fields) => ["error", "detail", "message", "msg", "reason"]
            .iter()
            .find_map(|key| error_text(fields.get(*key)?)),
        _ => None,
    }
}

/// Adds the token, unless it is empty, in both headers.
fn authorize(request: Builder, token: &Secret) -> Builder {
    if token.is_empty() {
        return request;
    }
    let token = token.expose();
    request.header("Authorization", format!("Bearer {token}")).header("X-Agent-Token", token)
}

/// Why a request failed, in one line without the number of the system's error.
fn reason(error: &ureq::Error) -> String {
    let line = text::one_line(&error.to_string());
    line.trim_start_matches("io: ").split(" (os error").next().unwrap_or_default().to_owned()
}

fn tls_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, HttpError> {
    crate::sys::tls::client_config(ca_file).map_err(|e| HttpError::Offline(e.to_string()))
}

/// An agent of ureq for one URL.
fn agent(
    tls: &Arc<ClientConfig>,
    proxies: &Proxies,
    url: &str,
    total: Duration,
    guard: AddressGuard,
) -> Result<Agent, HttpError> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(total))
        .user_agent(concat!("wtt-connect/", env!("CARGO_PKG_VERSION")))
        .proxy(choose_proxy(proxies, url).map_err(HttpError::Offline)?)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls::Tls(tls.clone()));
    Ok(Agent::with_parts(config, connector, guard))
}

/// The proxy for a URL, for ureq.
fn choose_proxy(proxies: &Proxies, base: &str) -> Result<Option<ureq::Proxy>, String> {
    let origin = Origin::of(base).ok_or_else(|| format!("`{base}` is not a URL"))?;
    let Some(proxy) = proxies.choose(origin.secure, &origin.host, origin.port)? else { return Ok(None) };
    let mut builder = ureq::Proxy::builder(ureq::ProxyProtocol::Http).host(&proxy.host).port(proxy.port);
    if let Some((user, password)) = &proxy.login {
        builder = builder.username(user).password(password.expose());
    }
    builder.build().map(Some).map_err(|_| format!("the proxy {proxy} cannot be used"))
}
