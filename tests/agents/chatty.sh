#!/bin/sh
# Fifty megabytes of garbage, then an answer.
. "$(dirname "$0")/lib.sh"
started
yes "$(printf '%0100d' 0)" | head -c 50000000; echo
say "after the flood"; finished
