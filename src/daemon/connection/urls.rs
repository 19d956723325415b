//! The WebSocket URLs of an agent.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is percent-encoded in an agent id. A path may hold `@` and `:` as they are.
const NOT_IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b':');

/// The WebSocket URLs for a base URL and agent id, without duplicates: first below the host, then below the whole
/// base URL (see CONNECTION in wtt-connect-protocol(7)).
///
/// `ws_url` replaces the base: a URL that ends in the agent id is taken as it is, one that ends in `/ws` gets the id
/// (as the old skill does), any other gets `/ws/<id>` and, where it has a path, is tried with `/<id>` first.
pub fn urls(base_url: &str, ws_url: Option<&str>, agent_id: &str) -> Vec<String> {
    let id = utf8_percent_encode(agent_id, NOT_IN_PATH).to_string();
    let mut urls = Vec::new();
    match ws_url.map(str::trim).filter(|u| !u.is_empty()) {
        Some(url) => {
            let url = websocket_scheme(url);
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            if url.ends_with(&format!("/{id}")) {
                urls.push(url);
            } else {
                if !path.is_empty() {
                    urls.push(format!("{url}/{id}"));
                }
                if path != "ws" && !path.ends_with("/ws") {
                    urls.push(format!("{url}/ws/{id}"));
                }
            }
        }
        None => {
            let base = websocket_scheme(base_url);
            urls.push(format!("{}/ws/{id}", base.strip_suffix("/api/v1").unwrap_or(&base)));
            urls.push(format!("{base}/ws/{id}"));
        }
    }
    urls.dedup();
    urls
}

/// `http` becomes `ws`, `https` (or nothing) becomes `wss`; slashes at the end go.
fn websocket_scheme(url: &str) -> String {
    let (scheme, rest) = url.trim().split_once("://").unwrap_or(("https", url.trim()));
    let secure = !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "ws");
    format!("{}://{}", if secure { "wss" } else { "ws" }, rest.trim_end_matches('/'))
}
