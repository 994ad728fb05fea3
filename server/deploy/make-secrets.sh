#!/usr/bin/env bash
# Make the secrets of docker-compose.yml: server/deploy/make-secrets.sh [folder]
#
# Existing files are kept, so running it again only adds what is missing. Containers run
# as different users, so the files can be read by all of them; the folder is what keeps
# other users of the host out.
set -euo pipefail

folder=${1:-secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

put() {
    [[ -e $folder/$1 ]] || printf '%s' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
}

word() { openssl rand -hex 24; }

put postgres_password "$(word)"
for role in owner app ingest engine; do
    put "db_${role}_password" "$(word)"
    put "db_${role}_url" "postgresql+psycopg://outpost_${role}:$(<"$folder/db_${role}_password")@postgres:5432/outpost"
done
put redis_password "$(word)"
put redis_url "redis://:$(<"$folder/redis_password")@redis:6379/0"
put redis_acl "user default on >$(<"$folder/redis_password") ~* &* +@all -@dangerous +info +flushdb"
for user in ingest keeper canary; do
    put "mqtt_${user}_password" "$(word)"
done
put secret_key "$(openssl rand -hex 32)"
put data_key "$(openssl rand -base64 32)"

if [[ ! -e $folder/tls_certificate || ! -e $folder/tls_key ]]; then
    cat >&2 <<TEXT
Put the TLS certificate of your public name there yourself (PEM, readable by all,
for web pages and phones alike):
  $folder/tls_certificate   full chain
  $folder/tls_key           private key
TEXT
fi
printf 'secrets are in %s; back them up: without data_key encrypted columns are lost\n' "$folder" >&2
