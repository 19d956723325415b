//! The checks of `doctor` for the service: its address, the proxy, whether it answers, whether it accepts the token.

use super::{Finding, Severity, finding};
use crate::config::Config;
use crate::http::address_guard::Origin;
use crate::http::proxy::{self, Proxies};
use crate::http::token_policy::status_refuses_token;
use crate::http::{Client, ClientSettings, HttpError};
use crate::secret::Secret;
use serde_json::Value;
use std::time::Duration;

/// A person waits for `doctor`; a service that takes longer counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Checks address and proxy and, unless `offline`, contacts the service.
pub fn check(config: &Config, offline: bool) -> Vec<Finding> {
    let Some(origin) = Origin::of(&config.base_url) else {
        let text = format!("{} is not a URL; correct WTT_BASE_URL", config.base_url);
        return vec![finding("Service", "address", Severity::Problem, text)];
    };
    let mut found = Vec::new();
    let is_exposed = !origin.secure && !proxy::is_local(&origin.host);
    found.push(if is_exposed {
        let text = format!("{} is not encrypted: the token can be read in transit", config.base_url);
        finding("Service", "address", Severity::Note, text)
    } else {
        finding("Service", "address", Severity::Ok, config.base_url.clone())
    });
    let proxies = Proxies::from_lookup(|name| config.variable(name));
    let proxy = proxies.choose(origin.secure, &origin.host, origin.port);
    let is_usable = proxy.is_ok();
    found.push(match proxy {
        Ok(None) => finding("Service", "proxy", Severity::Ok, "none".into()),
        Ok(Some(proxy)) => finding("Service", "proxy", Severity::Ok, proxy.to_string()),
        Err(why) => finding("Service", "proxy", Severity::Problem, why),
    });
    if offline || !is_usable {
        return found;
    }
    let ask = |token: &Secret, path: &str| {
        let settings = ClientSettings {
            base_url: config.base_url.clone(),
            token: token.clone(),
            ca_file: config.ca_file.clone(),
            proxies: proxies.clone(),
            total: TIMEOUT,
        };
        Client::open(settings).and_then(|client| client.get_json(path))
    };
    let (health, answers) = answer(ask(&Secret::default(), "/health"));
    found.push(health);
    if answers && !config.agent_id.is_empty() && !config.http_token.expose().is_empty() {
        found.push(token(ask(&config.http_token, "/agents/my"), &config.agent_id));
    }
    found
}

/// Rates the answer to `/health`, and returns whether there was one. Being offline is a normal state, and only a note.
fn answer(result: Result<(u16, Value), HttpError>) -> (Finding, bool) {
    match result {
        Ok(_) => (finding("Service", "answer", Severity::Ok, "it is up".into()), true),
        // another web server answers "not found", or sends a page
        Err(HttpError::Status(status @ (200..=299 | 404 | 405), _)) => {
            let text = format!(
                "it answers, but not like a WTT service (/health: HTTP {status}); check WTT_BASE_URL"
            );
            (finding("Service", "answer", Severity::Note, text), true)
        }
        Err(HttpError::Status(status, _)) => (
            finding("Service", "answer", Severity::Note, format!("it answers /health with HTTP {status}")),
            true,
        ),
        Err(HttpError::Offline(why)) => {
            let text = format!("{why}; a running connector keeps trying");
            (finding("Service", "answer", Severity::Note, text), false)
        }
    }
}

/// Rates whether the token is accepted and belongs to this agent (`GET /agents/my`, see IDENTITIES in
/// wtt-connect-protocol(7)).
fn token(result: Result<(u16, Value), HttpError>, agent_id: &str) -> Finding {
    let (severity, text) = match result {
        Ok((_, body)) => match owners(&body) {
            ids if ids.is_empty() || ids.contains(&agent_id) => (Severity::Ok, "accepted".to_owned()),
            ids => {
                (Severity::Note, format!("accepted, but it belongs to {}, not to {agent_id}", ids.join(", ")))
            }
        },
        Err(HttpError::Status(status, why)) if status_refuses_token(status) => (
            Severity::Problem,
            format!(
                "refused ({status} {why}); take the current token of {agent_id} from the web page and put it into WTT_TOKEN"
            ),
        ),
        Err(error) => (Severity::Note, format!("it is unknown whether the token is accepted: {error}")),
    };
    finding("Service", "token", severity, text)
}

/// The agent ids in an answer: a list of rows, possibly under `agents` or `data`.
fn owners(body: &Value) -> Vec<&str> {
    let rows = ["agents", "data"].iter().find_map(|name| body.get(name)).unwrap_or(body);
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter_map(|row| row.get("agent_id")?.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let severity = |result| token(result, "agent-1").severity;
        let rows = |id: &str| Ok((200, serde_json::json!([{ "agent_id": id }])));
        assert_eq!(severity(rows("agent-1")), Severity::Ok);
        assert_eq!(severity(rows("agent-2")), Severity::Note);
        assert_eq!(severity(Ok((200, Value::Null))), Severity::Ok);
        assert_eq!(severity(Err(HttpError::Status(401, "no".into()))), Severity::Problem);
        assert_eq!(severity(Err(HttpError::Status(404, String::new()))), Severity::Note);
        assert_eq!(severity(Err(HttpError::Offline("gone".into()))), Severity::Note);
    }

    #[test]
    fn answers() {
        let of = |status| answer(Err(HttpError::Status(status, "a page".into()))).0;
        for foreign in [200, 404] {
            assert!(of(foreign).text.contains("not like a WTT service"), "{foreign}");
        }
        assert_eq!((of(502).severity, of(502).text.contains("HTTP 502")), (Severity::Note, true));
        assert_eq!(answer(Ok((200, Value::Null))).0.severity, Severity::Ok);
    }
}
