//! Build script: leaves the tables for unwinding out of a release build for Linux, an eighth of the program.
//!
//! Nothing needs them there (`panic = "abort"` in Cargo.toml; the standard library is shipped with them all the same). The linkers
//! of GNU and LLVM know such a script; where another one is chosen, the program is linked as usual. Where it is built for this very
//! machine, and its C library is new enough, relocations are packed as well, as `.cargo/release.toml` does for what is given away.

use std::env;
use std::path::Path;
use std::process::Command;

/// Also what the linker is told on other ways than through cargo.
const SCRIPT: &str = "install/link/without-unwinding.ld";

fn main() {
    println!("cargo::rerun-if-changed=install/link/build.rs");
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    let other = ["mold", "gold", "wild"].iter().any(|name| flags.contains(name) || linker.contains(name));
    // Cargo does not tell a build script which panic strategy it uses; its profile does.
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || other {
        return;
    }
    let script = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(SCRIPT);
    // a linker that is called itself, not through a compiler, takes them as they are
    let direct = flags.contains("linker-flavor=ld");
    let link = |arg: &str| {
        if !direct {
            println!("cargo::rustc-link-arg-bins=-Xlinker");
        }
        println!("cargo::rustc-link-arg-bins={arg}");
    };
    link("--no-eh-frame-hdr");
    link(&format!("--script={}", script.display()));
    if is("CARGO_CFG_TARGET_ENV", "gnu") && env::var("HOST") == env::var("TARGET") && packed_can_run() {
        link("-z");
        link("pack-relative-relocs");
    }
}

/// Whether the C library here loads programs with packed relocations: glibc since 2.36.
#[allow(clippy::disallowed_methods)] // the rule is for what the program starts
fn packed_can_run() -> bool {
    let said =
        Command::new("getconf").arg("GNU_LIBC_VERSION").output().map(|out| out.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let mut numbers = said.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(2)), Some(Ok(36..))) | (Some(Ok(3..)), _))
}
