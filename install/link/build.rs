//! Build script: links a release build for Linux as small as the linker and the C library here allow.
//!
//! Left out are the tables for unwinding, an eighth of the program: nothing needs them (`panic = "abort"` in Cargo.toml; the standard
//! library is shipped with them all the same). Relocations are packed, and equal functions folded. What is tried is a small program
//! with the same flags; what does not link, or does not run where it is built, is left out. A chosen linker is taken as it is.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = "install/link/without-unwinding.ld";

fn main() {
    println!("cargo::rerun-if-changed=install/link/build.rs");
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    let chosen = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Cargo does not tell a build script which panic strategy it uses; its profile does.
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let script = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(SCRIPT);
    let script = format!("--script={}", script.display());
    let mut flags: Vec<&str> = Vec::new();
    for more in [&["--no-eh-frame-hdr", &script][..], &["-z", "pack-relative-relocs"], &["--icf=all"]] {
        let all = [&flags[..], more].concat();
        if works(&all, &chosen) {
            flags = all;
        }
    }
    for arg in arguments(&flags, &chosen) {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}

/// As they are passed: a linker that is called itself, not through a compiler, takes them as they are.
fn arguments<'f>(flags: &[&'f str], chosen: &str) -> Vec<&'f str> {
    let direct = chosen.contains("linker-flavor=ld") || chosen.contains("linker-flavor\u{1f}ld");
    flags.iter().flat_map(|flag| if direct { vec![*flag] } else { vec!["-Xlinker", flag] }).collect()
}

/// Whether a program that is linked so comes to be, and runs where it can be tried.
#[allow(clippy::disallowed_methods)] // the rule is for what the program starts
fn works(flags: &[&str], chosen: &str) -> bool {
    let var = |name: &str| env::var(name).unwrap_or_default();
    let folder = PathBuf::from(var("OUT_DIR"));
    let (source, program) = (folder.join("trial.rs"), folder.join("trial"));
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut rustc = Command::new(var("RUSTC"));
    rustc.args(chosen.split('\u{1f}').filter(|flag| !flag.is_empty()));
    rustc
        .args(["--edition=2024", "-Cpanic=abort", "--target", &var("TARGET"), "-o"])
        .arg(&program)
        .arg(&source);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.args(arguments(flags, chosen).iter().map(|arg| format!("-Clink-arg={arg}")));
    let linked = rustc.output().is_ok_and(|out| out.status.success() && !warns(&out.stderr));
    linked && (var("HOST") != var("TARGET") || Command::new(&program).status().is_ok_and(|end| end.success()))
}

/// A linker that passes over what it does not know says so.
fn warns(stderr: &[u8]) -> bool {
    String::from_utf8_lossy(stderr).to_ascii_lowercase().contains("ignored")
}
