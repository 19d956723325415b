#!/bin/sh
# Binds an agent of WTT to a CLI on this Mac, as a LaunchAgent.
#
#   install-launchd.sh --name NAME --env-file FILE [OPTION...]
#   install-launchd.sh --name NAME --agent-id ID --token TOKEN --adapter ADAPTER [OPTION...]
#
# Without --env-file and --agent-id it reads .env in the current directory. More options are those of `wtt-connect up`.
set -eu
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h | --help) usage && exit 0 ;; esac
[ "$(uname -s)" = Darwin ] || fail 69 'launchd is a part of macOS; on Linux use install-systemd-user.sh'
bind "$@"
