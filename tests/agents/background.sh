#!/bin/sh
# Answers, and leaves behind: a child of the group, a detached one, and an orphan of a session whose leader died.
. "$(dirname "$0")/lib.sh"
cat >/dev/null
sleep 300 & note_pid $!
setsid sh -c 'echo $$ >>detached; exec sleep 300' </dev/null >/dev/null 2>&1 &
setsid sh -c 'sleep 300 & echo $! >>pids' </dev/null >/dev/null 2>&1
while ! test -s detached; do sleep 0.01; done
answer "left some behind"
