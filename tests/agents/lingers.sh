#!/bin/sh
# Answers, and does not end for a long time.
. "$(dirname "$0")/lib.sh"
cat >/dev/null; trap '' INT
note_pid $$
answer "the answer"
while :; do sleep 1; done
