//! The addresses of services in settings. Pure.

/// Parses an address with one of these schemes and removes trailing slashes.
pub fn url(value: &str, schemes: &[&str]) -> Result<String, String> {
    // errors do not repeat what may be a password or a token
    let shown = if value.contains('@') { "" } else { value.split(['?', '#']).next().unwrap_or_default() };
    let shown = crate::text::truncate(shown, 80);
    let quoted = || format!("\"{shown}\" is not the address of a service");
    let lower = value.to_ascii_lowercase();
    let Some(scheme) = schemes.iter().find(|s| lower.starts_with(**s)) else {
        let why = format!("\"{shown}\" does not begin with {}", schemes.join(" or "));
        // only a service on this machine is likely to have no TLS
        let local = ["localhost", "127.", "[::1]"].iter().any(|host| lower.starts_with(host));
        let guess = schemes.get(usize::from(!local)).map(|scheme| format!("{scheme}{value}"));
        return Err(
            match guess.filter(|guess| {
                !value.contains(['@', '?', '#']) && !value.contains("://") && url(guess, schemes).is_ok()
            }) {
                Some(guess) => format!("{why}; write {guess}"),
                None => why,
            },
        );
    };
    let rest = &value[scheme.len()..];
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err("has a user name or password in it".into());
    }
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if !port.is_empty() && port.parse::<u16>().is_ok() { name } else { host }
    });
    let bracketed = name.starts_with('[') && name.ends_with(']') && name.len() > 4;
    let plain = !name.is_empty() && !name.contains([':', '[', ']']);
    if !(bracketed || plain)
        || rest.contains(['?', '#', ' ', '\\'])
        || !rest.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(quoted());
    }
    Ok(format!("{scheme}{}", rest.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_address_does_not_show_its_secrets() {
        for value in ["https://a/ws?token=CANARY", "ftp://u:CANARY@host", "https://a#CANARY"] {
            let why = url(value, &["https://"]).unwrap_err();
            assert!(!why.contains("CANARY"), "{why}");
        }
    }

    #[test]
    fn urls_lose_their_trailing_slash() {
        assert_eq!(url("https://a.b/x/", &["https://"]).as_deref(), Ok("https://a.b/x"));
    }
}
