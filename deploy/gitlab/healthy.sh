#!/bin/sh
# Healthy means: GitLab answers, and takes the platform's token (see setup.rb). The token is in no argument.
set -eu
printf 'header = "PRIVATE-TOKEN: %s"\n' "$(cat /run/secrets/gitlab_token)" |
  curl --silent --fail --output /dev/null --max-time 10 --config - http://localhost:8929/api/v4/user
