#!/bin/sh
# Serves turn after turn: each line of stdin is a script. Speaks the line protocol of tests/keeping.rs.
# $1: the session to resume.
echo $$ >>pids
trap 'echo int >>signals; exit 1' INT
echo "session ${1:-s-$$}"
say() { echo "text $1"; }
answer() { echo "done $1"; }
while read -r line; do
    if [ -e die ]; then rm die; exit 3; fi
    echo started
    eval "$line"
done
echo "$$" >>ended
