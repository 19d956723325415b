#!/bin/sh
# Ignores SIGINT and SIGTERM, and never ends.
. "$(dirname "$0")/lib.sh"
trap '' INT TERM
note_pid $$
started; say "half an answer"
while :; do sleep 1; done
