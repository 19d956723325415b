//! Refuses URLs in messages that lead to this machine or to a private network.
//!
//! The addresses that are checked are those that are connected to, so that a name cannot change its address between
//! check and connection. The service itself and the hosts of `WTT_CONNECT_MEDIA_HOSTS` are trusted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Why an address is refused.
pub(super) const REFUSED: &str =
    "it leads to this machine or into a private network, where nothing is fetched from";

/// The origin of a URL: scheme, host in lower case, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether the scheme is `https` and not `http`.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// The port; that of the scheme if the URL has none.
    pub port: u16,
}

impl Origin {
    /// The origin of an absolute `http://` or `https://` URL.
    pub fn of(url: &str) -> Option<Origin> {
        Origin::of_uri(&url.parse().ok()?)
    }

    fn of_uri(uri: &Uri) -> Option<Origin> {
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        (!host.is_empty()).then_some(Origin { secure, host, port })
    }

    /// As a URL without a path.
    pub fn url(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{}://{host}:{}", if self.secure { "https" } else { "http" }, self.port)
    }
}

/// A resolver that refuses addresses that must not be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct AddressGuard {
    on: bool,
    service: Option<Origin>,
    /// `host` or `host:port`, in lower case.
    trusted: Vec<String>,
    inner: std::sync::Arc<DefaultResolver>,
}

impl AddressGuard {
    /// Accepts all addresses, for URLs that the user has configured.
    pub(super) fn off() -> AddressGuard {
        AddressGuard::default()
    }

    /// Refuses private addresses, for URLs in messages.
    pub(super) fn on(service: Option<Origin>, trusted: &[String]) -> AddressGuard {
        let mut names: Vec<String> = Vec::new();
        names.extend(trusted.iter().map(|name| name.trim().to_ascii_lowercase()));
        AddressGuard { on: true, service, trusted: names, inner: std::sync::Arc::default() }
    }

    fn trusts(&self, origin: &Origin) -> bool {
        let Origin { host, port, .. } = origin;
        !self.on
            || self.service.as_ref() == Some(origin)
            || self.trusted.iter().any(|name| name == host || *name == format!("{host}:{port}"))
    }

    /// Checks a target that a proxy will resolve, by the addresses that it has here. A name that does not resolve here
    /// is left to the proxy.
    pub(super) fn check(&self, origin: &Origin) -> io::Result<()> {
        if self.trusts(origin) {
            return Ok(());
        }
        let found = (origin.host.as_str(), origin.port).to_socket_addrs();
        if found.is_ok_and(|mut all| all.any(|address| !is_public(address.ip()))) {
            Err(refused())
        } else {
            Ok(())
        }
    }
}

impl Resolver for AddressGuard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        // the user has chosen the proxy
        let is_proxy = config.proxy().is_some_and(|proxy| proxy.uri() == uri);
        let trusted = is_proxy || Origin::of_uri(uri).is_some_and(|origin| self.trusts(&origin));
        if trusted || found.iter().all(|address| is_public(address.ip())) {
            return Ok(found);
        }
        Err(Error::Io(refused()))
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, REFUSED)
}

/// Whether an address belongs to the public internet and is not reserved.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        [0 | 10 | 127 | 224..=255, ..] => false,
        [100, 64..=127, ..] => false, // shared address space of carriers
        [169, 254, ..] | [192, 168, ..] | [172, 16..=31, ..] => false,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => false,
        [198, 18 | 19, ..] => false, // benchmarking
        _ => true,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    match address.segments() {
        // NAT64 and 6to4: the embedded address counts
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => {
            let ([a, b], [c, d]) = (a.to_be_bytes(), b.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x2001, 0..=0x1ff | 0xdb8, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false, // documentation
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_base_url_and_whether_it_is_this_machine() {
        let check = |url, secure, host: &str, port, local| {
            let origin = Origin::of(url).unwrap();
            assert_eq!(origin, Origin { secure, host: host.into(), port }, "{url}");
            assert_eq!(crate::http::proxy::is_local(&origin.host), local, "{url}");
        };
        check("https://www.waxbyte.com", true, "www.waxbyte.com", 443, false);
        check("http://127.0.0.1:81/x", false, "127.0.0.1", 81, true);
        check("http://[::1]:81", false, "::1", 81, true);
        check("http://[::1]", false, "::1", 80, true);
        check("http://localhost", false, "localhost", 80, true);
    }

    #[test]
    fn private_and_reserved_addresses_are_not_public() {
        for no in [
            "0.0.0.0",
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!is_public(no.parse().unwrap()), "{no}");
        }
        for yes in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "192.0.1.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(yes.parse().unwrap()), "{yes}");
        }
    }

    #[test]
    fn origins_are_told_apart() {
        let of = |url: &str| Origin::of(url).map(|origin| origin.url());
        assert_eq!(of("https://WTT.example/a").as_deref(), Some("https://wtt.example:443"));
        assert_eq!(of("http://[::1]:8000/a").as_deref(), Some("http://[::1]:8000"));
        assert_eq!(of("ftp://a/b"), None);
        assert_eq!(of("/media/x"), None);
        let guard = AddressGuard::on(
            Origin::of("http://127.0.0.1:8000"),
            &["Media.Local".into(), "10.0.0.5:9000".into()],
        );
        for (url, want) in [
            ("http://127.0.0.1:8000/media/a", true),
            ("http://127.0.0.1:8001/media/a", false),
            ("https://127.0.0.1:8000/media/a", false),
            ("https://media.local/a", true),
            ("http://10.0.0.5:9000/a", true),
            ("http://10.0.0.5/a", false),
        ] {
            assert_eq!(
                guard.check(&Origin::of(url).unwrap()).is_ok(),
                want || url.contains("media.local"),
                "{url}"
            );
        }
    }
}
