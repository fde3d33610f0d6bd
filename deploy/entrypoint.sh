#!/bin/sh
# Passes the database's password on: libpq reads a password file only where nobody else may, which a mounted secret
# need not be. The password stands in no command and no environment.
set -eu
if [ -n "${PGPASSWORD_FILE-}" ]; then
    password=$(sed 's/[\\:]/\\&/g' "$PGPASSWORD_FILE")
    (umask 077 && printf '*:*:*:*:%s\n' "$password" > "$PGPASSFILE")
fi
exec "$@"
