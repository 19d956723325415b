//! Build script: leaves the tables for unwinding out of a release build for Linux, an eighth of the program.
//!
//! Nothing needs them there (`panic = "abort"` in Cargo.toml; the standard library is shipped with them all the same). The linkers
//! of GNU and LLVM know such a script; where another one is chosen, the program is linked as usual.

use std::env;
use std::path::Path;

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
    for arg in ["--no-eh-frame-hdr".to_owned(), format!("--script={}", script.display())] {
        if !direct {
            println!("cargo::rustc-link-arg-bins=-Xlinker");
        }
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
