#!/bin/sh
# Puts children into other sessions, with and without its environment, some of them holding the pipe; never ends.
. "$(dirname "$0")/lib.sh"
note_pid $$
setsid sleep 300 &
note_pid $!
env -i PATH="$PATH" setsid sleep 300 </dev/null >/dev/null 2>&1 &
note_pid $!
setsid sh -c '(sleep 300 & echo $! >>pids) & wait; exit' &
while test "$(wc -l <pids)" -lt 4; do sleep 0.01; done
started; say "scattered"
while :; do sleep 1; done
