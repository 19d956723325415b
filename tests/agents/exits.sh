#!/bin/sh
# Ends as the prompt says: with a code, by a signal, with words on stderr, with or without text.
. "$(dirname "$0")/lib.sh"
read -r how
case $how in
  code0) started; exit 0 ;;
  code0-text) started; say "nearly"; exit 0 ;;
  code3) started; exit 3 ;;
  code3-stderr) echo "Error: something odd happened" >&2; exit 3 ;;
  code3-text) started; say "nearly"; exit 3 ;;
  kill9) started; kill -9 $$ ;;
  segv) kill -11 $$ ;;
  code137) exit 137 ;;
  login) echo "Not logged in" >&2; exit 1 ;;
  plain) echo "Error: unexpected argument '--json' found"; exit 2 ;;
  failed) started; echo '{"type":"turn.failed","error":{"message":"exceeded retry limit, last status: 429 Too Many Requests"}}'; exit 1 ;;
esac
