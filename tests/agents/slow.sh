#!/bin/sh
# Says something, then works for ever; ends at SIGINT.
. "$(dirname "$0")/lib.sh"
note_pid $$
started; say "half an answer"
exec sleep 300
