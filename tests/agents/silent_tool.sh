#!/bin/sh
# Starts a tool and is silent while it runs, longer than the idle limit of the test.
. "$(dirname "$0")/lib.sh"
started; tool "make -j2"; sleep 1; say "built"; finished
