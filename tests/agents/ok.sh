#!/bin/sh
# Answers at once, with the prompt's length.
. "$(dirname "$0")/lib.sh"
n=$(wc -c); answer "got $((n)) bytes"
