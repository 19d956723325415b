#!/bin/sh
# Binds an agent of WTT to a CLI on this machine, as a systemd service of this user.
#
#   install-systemd-user.sh --name NAME --agent-id ID --token TOKEN --adapter ADAPTER [OPTION...]
#   install-systemd-user.sh --name NAME --env-file FILE [OPTION...]
#
# More options are those of `wtt-connect up`: --mode MODE, --publish-progress, --enable-linger, --workdir DIR, ...
set -eu
. "$(dirname "$0")/lib.sh"
bind "$@"
