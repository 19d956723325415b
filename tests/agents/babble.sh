#!/bin/sh
# Prints garbage for ever: no sign of life by the protocol.
. "$(dirname "$0")/lib.sh"
note_pid $$
exec yes garbage
