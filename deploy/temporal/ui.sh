#!/bin/sh
# Temporal UI reads the secret of its GitLab application from its own environment only: it gets it here, from the file.
set -eu
TEMPORAL_AUTH_CLIENT_SECRET="$(cat /run/secrets/temporal_ui_secret)"
export TEMPORAL_AUTH_CLIENT_SECRET
exec ./start-ui-server.sh
