#!/bin/sh
# The namespace with 30 days of history, and the search attributes of nautes/messages/search.py. Twice changes nothing.
# The sandbox does the same in sandbox/nautes_sandbox/temporal.py; tests/unit/test_deploy.py runs this against a real server.
set -eu
namespace="${1:-default}"
retention=720h

if temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1; then
  temporal operator namespace update --namespace "$namespace" --retention "$retention"
else
  temporal operator namespace create --namespace "$namespace" --retention "$retention"
fi
tries=0
until known="$(temporal operator search-attribute list --namespace "$namespace" 2>&1)"; do # a new one is seen after seconds
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "$known" >&2; exit 1; }
  sleep 1
done
for name in NautesKind NautesProduct NautesProductId NautesCluster NautesPhase NautesRevision NautesRenew; do
  case "$known" in
    *"$name "*) ;;
    *) temporal operator search-attribute create --namespace "$namespace" --name "$name" --type Keyword ;;
  esac
done
