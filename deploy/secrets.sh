#!/bin/sh
# Once, before the first start: makes every secret of docker-compose.yml. What is there already is kept.
#
# The directory is closed to other users of this machine. The files in it can be read by all, because compose mounts them
# into containers as they are, and the users of the containers are not ours.
set -eu
directory="${1:-$(dirname "$0")/secrets}"
mkdir -p "$directory"
chmod 0700 "$directory"

make() { # name, prefix, bytes of randomness: no newline at the end, everything in it counts
  [ -s "$directory/$1" ] && return
  { printf '%s' "$2"; head -c "$3" /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_' | tr -d '='; } >"$directory/.part"
  chmod 0444 "$directory/.part"
  mv "$directory/.part" "$directory/$1"
  echo "made $1"
}

make postgres_password '' 24
make gitlab_root_password '' 24
make gitlab_token glpat- 15
make vault_secret_id '' 32
make vault_api_secret_id '' 32
make k3s_token '' 32
make temporal_ui_secret '' 32
if [ ! -s "$directory/openbao_seal_key" ]; then # plain base64 of 32 bytes: the key itself
  head -c 32 /dev/urandom | base64 | tr -d '\n' >"$directory/.part"
  chmod 0444 "$directory/.part"
  mv "$directory/.part" "$directory/openbao_seal_key"
  echo "made openbao_seal_key: keep a copy elsewhere, without it what OpenBao holds is lost"
fi
if [ ! -s "$directory/codec_keys" ]; then # one line per key, `<id>: <base64 of 32 bytes>`; how to add one: docs/temporal.md
  { printf 'first: '; head -c 32 /dev/urandom | base64; } >"$directory/.part"
  chmod 0444 "$directory/.part"
  mv "$directory/.part" "$directory/codec_keys"
  echo "made codec_keys: keep a copy elsewhere, without it nobody can read what Temporal holds"
fi
