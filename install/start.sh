#!/bin/sh
# Runs the connector in the foreground.
#
#   start.sh [--env-file FILE] [--profile PROFILE] [--config FILE]
#
# Without options it reads .env in the current directory.
set -eu
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h | --help) usage && exit 0 ;; esac
bin=$(program)
exec "$bin" start "$@"
