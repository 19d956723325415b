#!/bin/sh
# Stops the LaunchAgent of a profile for good.
#
#   uninstall-launchd.sh --name NAME [--purge]
#
# --purge deletes the profile and its state, too.
set -eu
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h | --help) usage && exit 0 ;; esac
[ "$(uname -s)" = Darwin ] || fail 69 'launchd is a part of macOS; on Linux use uninstall-systemd-user.sh'
unbind "$@"
