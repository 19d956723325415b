#!/bin/sh
# An agent of any kind that has started and hears nothing: no signal but SIGKILL, no word on stdin. Nor does its tool, which
# is in a session of its own where there is setsid.
. "$(dirname "$0")/lib.sh"
trap '' INT TERM HUP
tool='trap "" INT TERM HUP; echo $$ >>pids; while :; do sleep 1; done'
if command -v setsid >/dev/null; then setsid sh -c "$tool" & else sh -c "$tool" & fi
note_pid $$
while :; do sleep 1; done
