#!/bin/sh
# Start mosquitto in its container, and make it read its files again when one changes.
#
# The gatekeeper replaces devices.pw whenever a phone is enrolled or revoked; a renewed
# certificate arrives as a changed secret. Signals reach mosquitto through this script.
set -eu

config=${BROKER_CONFIG:-/outpost/mosquitto.conf}
watched="${BROKER_DIR:-/etc/outpost/mqtt}/devices.pw"
own=${BROKER_OWN_DIR:-/run/outpost-broker}
secrets=${BROKER_SECRETS:-/run/secrets}
data=${BROKER_DATA:-/mosquitto/data}
certificate="$secrets/tls_certificate"

umask 077
for user in ingest keeper canary; do
    printf '%s:%s\n' "$user" "$(cat "$secrets/mqtt_${user}_password")"
done >"$own/services.pw"
mosquitto_passwd -U "$own/services.pw"

state() { stat -L -c '%i %Y %s' "$watched" "$certificate" 2>/dev/null || true; }

wait_for_file() {
    tries=0
    until [ -e "$watched" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 60 ] || { echo "no $watched after 60 s: does the gatekeeper run?" >&2; exit 1; }
        sleep 1
    done
}

# mosquitto wants password files that belong to itself.
take() {
    cp "$watched" "$own/devices.pw.new"
    mv "$own/devices.pw.new" "$own/devices.pw"
}

launch() {
    mosquitto -c "$config" &
    child=$!
    sleep 1
}

finish() {
    kill -TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    exit 0
}

wait_for_file
seen=$(state)
take
child=
trap finish TERM INT
launch
if ! kill -0 "$child" 2>/dev/null && [ -e "$data/mosquitto.db" ]; then
    # A full disk leaves a truncated store that mosquitto refuses for ever after. Running
    # without what it held beats not running; if the store was not the cause, it goes back.
    aside="$data/mosquitto.db.bad.$(date +%s)"
    mv "$data/mosquitto.db" "$aside"
    launch
    if kill -0 "$child" 2>/dev/null; then
        echo "ALARM: the broker's store was corrupt and is now $aside" >&2
    else
        mv "$aside" "$data/mosquitto.db"
    fi
fi
while kill -0 "$child" 2>/dev/null; do
    sleep 0.5
    now=$(state)
    if [ "$now" != "$seen" ]; then
        seen=$now
        take
        kill -HUP "$child"
    fi
done
wait "$child"
