#!/bin/sh
# Runs once, when the database container makes its cluster, after bootstrap.sql.
set -eu

for role in owner app ingest engine; do
    password=$(cat "/run/secrets/db_${role}_password")
    printf "ALTER ROLE outpost_%s PASSWORD '%s';\n" "$role" "$password"
done | psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"
