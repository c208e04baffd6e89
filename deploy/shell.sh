#!/bin/sh
# A shell, or one command, as the service is on a host with systemd: its user, settings and secrets. As root:
#   /opt/crant/deploy/shell.sh
#   /opt/crant/deploy/shell.sh crant doctor
# systemd reads the settings as it does for the units, where a shell would stumble over the JSON in them; and what root
# wrote into the store, the service could not write to.
set -eu
code=$(cd "$(dirname "$0")/.." && pwd)
settings=/etc/crant
[ $# -gt 0 ] || set -- bash
how=--pipe
if [ -t 0 ] && [ -t 1 ]; then how=--pty; fi
exec systemd-run --quiet --collect --wait "$how" --uid=crant --gid=crant --working-directory="$code" \
  --property=EnvironmentFile="$settings/crant.env" \
  --property=LoadCredential=crant_database_password:"$settings/secrets/crant_database_password" \
  --property=LoadCredential=crant_cave_tokens:"$settings/secrets/crant_cave_tokens" \
  --property=UMask=0027 --setenv=CRANT_CACHE_FOLDER=/var/cache/crant --setenv=HOME=/var/lib/crant \
  --setenv=PATH="$code/.venv/bin:/usr/local/bin:/usr/bin:/bin" --setenv=TERM="${TERM:-dumb}" \
  --setenv=CRANT_URL="${CRANT_URL:-http://127.0.0.1:8000}" --setenv=CRANT_TOKEN="${CRANT_TOKEN:-}" \
  /bin/sh -c 'CRANT_SECRETS_FOLDER=$CREDENTIALS_DIRECTORY exec "$@"' sh "$@"
