//! Chooses the proxy for a host: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either letter case.
//!
//! The same choice holds for HTTP and WebSocket. Only `http://` proxies are supported (with CONNECT). This machine
//! itself is never reached through a proxy. `NO_PROXY` accepts names, domain suffixes, addresses, an optional port and
//! `*`.

use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;

/// A proxy to send CONNECT to. Display shows it without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// Port; 80 if the URL has none.
    pub port: u16,
    /// User and password of the URL, decoded.
    pub login: Option<(String, Secret)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "http://{host}:{}", self.port)
    }
}

/// The proxy settings of the environment.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    secure: Option<ProxySetting>,
    plain: Option<ProxySetting>,
    except: Vec<String>,
}

/// The variable that was set, and its proxy, or why it cannot be used.
type ProxySetting = (String, Result<Proxy, String>);

impl Proxies {
    /// The settings in the environment of this process.
    pub fn from_env() -> Proxies {
        Proxies::from_lookup(|name| std::env::var(name).ok())
    }

    /// The settings in other variables; empty ones count as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Proxies {
        let find = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()]
                .into_iter()
                .find_map(|key| lookup(&key).filter(|v| !v.trim().is_empty()).map(|v| (key, v)))
        };
        let setting = |name: &str| {
            find(name).or_else(|| find("ALL_PROXY")).map(|(key, url)| {
                let proxy = parse(url.trim());
                (key, proxy)
            })
        };
        let except = find("NO_PROXY").map_or(String::new(), |(_, v)| v).to_ascii_lowercase();
        Proxies {
            secure: setting("HTTPS_PROXY"),
            plain: setting("HTTP_PROXY"),
            except: except.split([',', ' ']).filter(|s| !s.is_empty()).map(str::to_owned).collect(),
        }
    }

    /// The proxy for a host; an error if this program cannot use the one that is set.
    pub fn choose(&self, secure: bool, host: &str, port: u16) -> Result<Option<&Proxy>, String> {
        let Some((name, proxy)) = (if secure { &self.secure } else { &self.plain }) else { return Ok(None) };
        if is_local(host) || self.except.iter().any(|rule| excepted(rule, host, port)) {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(|why| format!("{name} cannot be used: {why}"))
    }
}

/// Whether a host is this machine, by name or address.
pub fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an entry of `NO_PROXY` covers the host.
fn excepted(rule: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let (name, wanted) = match rule.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse::<u16>() {
            Ok(wanted) => (name, Some(wanted)),
            Err(_) => (rule, None),
        },
        _ => (rule, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']).trim_start_matches('*').trim_start_matches('.');
    rule == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))))
}

/// Reads a proxy URL. The error never repeats it: it may hold a password.
fn parse(url: &str) -> Result<Proxy, String> {
    let rest = match url.split_once("://") {
        None => url,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) => {
            return Err(format!("{scheme}:// proxies are not supported, use an http:// one"));
        }
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, address) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((login, address)) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (Some((decode(user), Secret::new(decode(password)))), address)
        }
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| "its port is not a number".to_owned())?)
        }
        _ => (address, 80),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    Ok(Proxy { host: host.to_owned(), port, login })
}

/// Decodes percent-encoding; invalid sequences are kept.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Proxies {
        Proxies::from_lookup(|name| vars.iter().find(|v| v.0 == name).map(|v| v.1.to_owned()))
    }

    #[test]
    fn the_variable_of_the_scheme_wins_and_either_case_counts() {
        type Row<'a> = (&'a [(&'a str, &'a str)], bool, Option<&'a str>);
        #[rustfmt::skip]
        let rows: &[Row<'_>] = &[
            (&[], true, None),
            (&[("HTTPS_PROXY", "http://p:3128")], true, Some("http://p:3128")),
            (&[("HTTPS_PROXY", "http://p:3128")], false, None),
            (&[("https_proxy", "p:1"), ("HTTPS_PROXY", "q:2")], true, Some("http://p:1")),
            (&[("HTTP_PROXY", "http://p/")], false, Some("http://p:80")),
            (&[("ALL_PROXY", "http://a:9")], true, Some("http://a:9")),
            (&[("all_proxy", "http://a:9"), ("http_proxy", "http://b:8")], false, Some("http://b:8")),
            (&[("https_proxy", " ")], true, None),
            (&[("HTTPS_PROXY", "http://[::1]:8080")], true, Some("http://[::1]:8080")),
        ];
        for (vars, secure, expect) in rows {
            let found = proxies(vars).choose(*secure, "wtt.example", 443).unwrap().map(Proxy::to_string);
            assert_eq!(found.as_deref(), *expect, "{vars:?}");
        }
    }

    #[test]
    fn exceptions_match_whole_names_suffixes_and_ports() {
        #[rustfmt::skip]
        let rows = [
            ("wtt.example", "wtt.example", 443, true), ("example", "wtt.example", 443, true),
            (".example", "wtt.example", 443, true), ("*.example", "wtt.example", 443, true),
            ("t.example", "wtt.example", 443, false), ("wtt.example:443", "wtt.example", 443, true),
            ("wtt.example:80", "wtt.example", 443, false), ("*", "anything", 1, true),
            ("a, b,WTT.Example", "wtt.example", 443, true), ("10.0.0.1", "10.0.0.1", 80, true),
            ("fe80::1", "[fe80::1]", 80, true), ("", "wtt.example", 443, false),
            ("other", "localhost", 80, true), ("other", "127.0.0.1", 80, true), ("other", "[::1]", 80, true),
        ];
        for (rule, host, port, direct) in rows {
            let p = proxies(&[("ALL_PROXY", "http://p:1"), ("NO_PROXY", rule)]);
            assert_eq!(p.choose(true, host, port).unwrap().is_none(), direct, "{rule} / {host}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_shown() {
        let p = proxies(&[("ALL_PROXY", "http://al%40ice:p%3Aw%zz@p:1")]);
        let proxy = p.choose(false, "h", 1).unwrap().unwrap();
        assert_eq!(proxy.login, Some(("al@ice".to_owned(), Secret::new("p:w%zz"))));
        assert!(!format!("{proxy} {p:?}").contains("p:w"));
        let wrong = proxies(&[("ALL_PROXY", "socks5://u:secret@p:1")]).choose(false, "h", 1).unwrap_err();
        assert!(wrong.contains("all_proxy") || wrong.contains("ALL_PROXY"), "{wrong}");
        assert!(wrong.contains("socks5") && !wrong.contains("secret"), "{wrong}");
    }
}
