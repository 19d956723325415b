#!/bin/sh
# Reads nothing, says nothing, never ends.
. "$(dirname "$0")/lib.sh"
note_pid $$
exec sleep 300
