#!/bin/sh
# Temporal reads its database password from its own environment only: it gets it here, from the file, so that neither
# the compose file nor `docker inspect` knows it.
set -eu
POSTGRES_PWD="$(cat /run/secrets/postgres_password)"
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
