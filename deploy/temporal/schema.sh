#!/bin/sh
# Makes or updates Temporal's two databases in PostgreSQL. Runs before each start of the server; twice changes nothing.
set -eu
SQL_PASSWORD="$(cat /run/secrets/postgres_password)"
export SQL_PASSWORD
versions=/etc/temporal/schema/postgresql/v12

prepare() { # database, directory of its versions
  tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_SEEDS -p 5432 -u $POSTGRES_USER --db $1"
  $tool create
  $tool setup-schema -v 0.0 || true # refused when the tables are there: what counts is the update
  $tool update-schema -d "$versions/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
