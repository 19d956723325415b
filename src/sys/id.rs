//! Unguessable identifiers from the system's random source.

use ring::rand::{SecureRandom, SystemRandom};

/// `N` random bytes. Falls back to the seeded generator if the kernel provides none, which does not happen in practice.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        fastrand::fill(&mut bytes);
    }
    bytes
}

/// 24 lower-case hexadecimal digits: an id for requests, outbox entries and instances.
pub fn hex() -> String {
    format!("{:024x}", u128::from_be_bytes(random()) >> 32)
}

/// Three characters that are easy to type and form no word: a letter, a digit, a letter. There are about four thousand codes.
pub fn short_code() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
    let [a, b, c] = random::<3>();
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
    [letter(a), char::from(b'2' + b % 8), letter(c)].iter().collect()
}

/// A version 4 UUID, for CLIs whose session id the caller can choose.
pub fn uuid_v4() -> String {
    let mut b = random::<16>();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let h = format!("{:032x}", u128::from_be_bytes(b));
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}
