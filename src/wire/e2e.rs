//! End-to-end encryption of direct chats (confirmed, see ENCRYPTION in wtt-connect-protocol(7)): the key,
//! the envelope, the cipher.
//!
//! AES-256 in counter mode without an integrity check, as the protocol defines. A text that cannot be decrypted is used
//! unchanged.

use crate::json;
use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use ring::{hmac, pbkdf2};
use serde_json::{Value, json};
use std::num::NonZeroU32;

const SALT: &[u8] = b"wtt-e2e-shared";
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(309_999);
const BLOCK: usize = 16;

/// The key of encrypted chats, derived from their password.
#[derive(Clone)]
pub struct E2eKey([u8; 32]);

impl std::fmt::Debug for E2eKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl E2eKey {
    /// Derives the key from the password, which takes some tenths of a second.
    pub fn derive(password: &str) -> E2eKey {
        let mut key = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, SALT, password.as_bytes(), &mut key);
        E2eKey(key)
    }

    /// The key for the answer to `e2e_key_request`.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.0)
    }

    /// Decrypts an envelope; none if it is not one, or not under this key.
    pub fn open(&self, content: &str) -> Option<String> {
        let envelope = json::parse::<Value>(content).ok()?;
        let mut bytes = BASE64.decode(envelope.get("c")?.as_str()?).ok()?;
        self.apply(envelope.get("ctx")?.as_str()?, &mut bytes);
        String::from_utf8(bytes).ok()
    }

    /// Encrypts a text into an envelope. A context must never be used for two texts.
    pub fn seal(&self, text: &str, context: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.apply(context, &mut bytes);
        json!({ "c": BASE64.encode(bytes), "ctx": context }).to_string()
    }

    /// Encrypts or decrypts `bytes` in place: in counter mode both are the same. The counter starts at the first 16
    /// bytes of an HMAC of the context.
    fn apply(&self, context: &str, bytes: &mut [u8]) {
        let nonce = [b"nonce-", context.as_bytes(), &[1]].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), &nonce);
        let mut start = [0; BLOCK];
        start.copy_from_slice(&tag.as_ref()[..BLOCK]);
        Ctr128BE::<Aes256>::new(&self.0.into(), &start.into()).apply_keystream(bytes);
    }
}

/// Whether a text that is about to be published is an envelope of [`E2eKey::seal`].
pub fn is_sealed(content: &str) -> bool {
    if !content.starts_with("{\"c\":\"") {
        return false;
    }
    let envelope = json::parse(content).unwrap_or_default();
    let Value::Object(members) = &envelope else { return false };
    let is_base64 = |text: &str| BASE64.decode(text).is_ok();
    members.len() == 2 && envelope["c"].as_str().is_some_and(is_base64) && envelope["ctx"].is_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with OpenSSL and Python's hashlib.
    const SEALED: &str = r#"{"c":"RWv7a2Z+9kTCLyB4ZJAXnMGCVE8ENZvJ97SYD7Yhl51moReswBjJKmUGmqHz092RfmGOZ4Ex","ctx":"web-p2p-1-x"}"#;
    const TEXT: &str = "Grüße 漢字 🦀, and more than two blocks of text.";

    #[test]
    fn others_understand_it_and_it_understands_others() {
        let key = E2eKey::derive("correct horse");
        assert_eq!(key.to_base64(), "k3ZGLZuGH/tc8Q9iJxVW5UM7J2r65yRael6/gk2FGpY=");
        assert_eq!(key.open(SEALED).as_deref(), Some(TEXT));
        assert_eq!(key.seal(TEXT, "web-p2p-1-x"), SEALED);
        for no in ["", "plain", "{}", r#"{"c":"!","ctx":"x"}"#, r#"{"c":"AAAA"}"#, r#"{"c":1,"ctx":"x"}"#] {
            assert_eq!(key.open(no), None, "{no}");
        }
        assert_eq!(E2eKey([7; 32]).open(SEALED), None, "another password");
        assert!(is_sealed(SEALED) && is_sealed(&key.seal("", "c")));
        for plain in [
            "",
            "{",
            r#"{"c":"x"}"#,
            r#"{"c":"AAAA","ctx":"x","more":1}"#,
            "{\"c\":\"not base64!\",\"ctx\":\"x\"}",
        ] {
            assert!(!is_sealed(plain), "{plain}");
        }
    }
}
