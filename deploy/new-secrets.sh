#!/bin/sh
# Makes the secret files that docker-compose.yml mounts; what is there already is kept.
# Files are readable for the containers' user and writable for their owner, the folder for its owner only.
set -eu
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"
new() {
  [ -s "$folder/$1" ] || printf '%s' "$2" > "$folder/$1"
  chmod 644 "$folder/$1"
}
new crant_database_password "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
new flower_password "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
new crant_cave_tokens '{}'
echo "secrets are in $folder; CAVE tokens go into $folder/crant_cave_tokens, as JSON: {\"https://server\": \"token\"}"
