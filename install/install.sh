#!/bin/sh
# Builds wtt-connect and installs it with its manual pages and completions.
#
#   install.sh [--prefix DIR] [--static]
#
#   --prefix DIR  install below DIR instead of /usr/local (for one user: ~/.local)
#   --static      build a binary that needs no libraries; needs the musl target of Rust and a musl C compiler
#
# DESTDIR is put before the prefix, for packages.
set -eu
. "$(dirname "$0")/lib.sh"
prefix=/usr/local static=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --static) static=yes ;;
    --prefix=?*) prefix=${1#--prefix=} ;;
    --prefix)
      [ -n "${2:-}" ] || fail 2 '--prefix needs a directory'
      prefix=$2
      shift
      ;;
    *) fail 2 "unknown option $1; --help lists what there is" ;;
  esac
  shift
done
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac
cd "$(dirname "$0")/.."
command -v cargo >/dev/null || fail 69 'cargo is not installed; Rust 1.95 or newer is needed to build'
root=${DESTDIR:-}$prefix
# found out now, not after the build
mkdir -p "$root/bin" 2>/dev/null || :
[ -w "$root/bin" ] || fail 1 "$root/bin cannot be written; choose another --prefix, like ~/.local, or use sudo"

target=${CARGO_TARGET_DIR:-target}
set -- --locked --release
if [ -n "$static" ]; then
  triple=$(uname -m)-unknown-linux-musl
  [ "$(uname -s)" = Linux ] || fail 69 'static binaries are for Linux only'
  [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] ||
    fail 69 "Rust's target $triple is missing; \`rustup target add $triple\` fetches it"
  command -v musl-gcc >/dev/null || command -v "$(uname -m)-linux-musl-gcc" >/dev/null ||
    fail 69 'a C compiler for musl is missing; on Debian and Ubuntu it is in the package musl-tools'
  set -- "$@" --target "$triple"
  target=$target/$triple
fi
cargo build "$@"

# put FILE FOLDER [NAME [MODE]]: a new file beside the old one, renamed over it: a running program keeps its own
put() {
  mkdir -p "$root/$2"
  to=$root/$2/${3:-$(basename "$1")}
  cp "$1" "$to.new"
  chmod "${4:-644}" "$to.new"
  mv -f "$to.new" "$to"
}
next='wtt-connect try, or wtt-connect up ADAPTER AGENT_ID TOKEN'
# services go on with the old program until they are restarted
[ ! -e "$root/bin/wtt-connect" ] || next='wtt-connect restart, so that what runs takes the new program'
put "$target/release/wtt-connect" bin wtt-connect 755
put man/wtt-connect.1 share/man/man1
put man/wtt-connect.5 share/man/man5
put man/wtt-connect-protocol.7 share/man/man7
put install/completions/wtt-connect.bash share/bash-completion/completions wtt-connect
put install/completions/_wtt-connect share/zsh/site-functions
put install/completions/wtt-connect.fish share/fish/vendor_completions.d
printf 'Installed %s\n' "$root/bin/wtt-connect"
# shellcheck disable=SC2016 # the reader's shell is to expand it
case ":$PATH:" in
  *":$prefix/bin:"*) ;;
  *) printf 'First put %s on PATH: export PATH="%s:$PATH"\n' "$prefix/bin" "$prefix/bin" ;;
esac
printf 'Next: %s\n' "$next"
