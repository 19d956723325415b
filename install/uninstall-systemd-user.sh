#!/bin/sh
# Stops the systemd service of a profile for good.
#
#   uninstall-systemd-user.sh --name NAME [--purge]
#
# --purge deletes the profile and its state, too.
set -eu
. "$(dirname "$0")/lib.sh"
unbind "$@"
