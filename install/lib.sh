# shellcheck shell=sh
# What the scripts of this folder share: finding the program, and turning their options into those of `wtt-connect up`.

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$2" >&2
  exit "$1"
}

# Prints the lines at the top of the script, behind the first one.
usage() {
  sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
}

# The program: the one that is named, the one on PATH, the one built in this checkout.
program() {
  built=$(dirname "$0")/../target/release/wtt-connect
  if [ -n "${WTT_CONNECT_BIN:-}" ]; then
    printf '%s\n' "$WTT_CONNECT_BIN"
  elif command -v wtt-connect; then
    :
  elif [ -x "$built" ]; then
    printf '%s\n' "$(cd "$(dirname "$built")" && pwd)/wtt-connect"
  else
    fail 69 'wtt-connect is not installed; run install.sh first, or set WTT_CONNECT_BIN'
  fi
}

# Calls `up` with --name, --agent-id, --token and --adapter as its operands; all other options are its own.
bind() {
  name='' id='' token='' adapter=''
  left=$#
  while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
      -h | --help)
        usage
        exit 0
        ;;
      --name | --agent-id | --token | --adapter)
        [ "$left" -gt 0 ] || fail 2 "$word needs a value"
        case $word in
          --name) name=$1 ;;
          --agent-id) id=$1 ;;
          --token) token=$1 ;;
          --adapter) adapter=$1 ;;
        esac
        shift
        left=$((left - 1))
        ;;
      *) set -- "$@" "$word" ;;
    esac
  done
  [ -z "$name" ] || set -- --profile "$name" "$@"
  if [ -z "$adapter$id" ]; then
    # all of it stands in an env file
    case " $* " in
      *" --env-file"*) ;;
      *) set -- --env-file .env "$@" ;;
    esac
    up "$token" "$@"
  else
    [ -n "$adapter" ] || fail 2 '--adapter is missing'
    [ -n "$id" ] || fail 2 '--agent-id is missing'
    if [ -n "$token" ]; then
      up "$token" "$adapter" "$id" - "$@"
    else
      up '' "$adapter" "$id" "$@"
    fi
  fi
}

# up TOKEN ARGUMENT...: the token goes through a pipe, so that no list of processes shows it.
up() {
  token=$1
  shift
  bin=$(program) || exit
  if [ -n "$token" ]; then
    printf '%s\n' "$token" | "$bin" up "$@"
  else
    "$bin" up "$@"
  fi
}

# Calls `down` for the profile of --name.
unbind() {
  case ${1:-} in -h | --help) usage && exit 0 ;; esac
  name=''
  [ "${1:-}" != --name ] || name=${2:-}
  [ -n "$name" ] || fail 2 'the profile is missing, as in: --name alice-codex'
  shift 2
  bin=$(program) || exit
  "$bin" down "$name" "$@"
}
