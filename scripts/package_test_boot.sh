#!/usr/bin/env bash
# Part of package_test.sh, inside the booted root: the packages' services at work. The dependencies are installed, the
# packages are not; there is no network but loopback.
set -euo pipefail
trap 'echo "failed: line $LINENO" >&2; journalctl --no-pager -n 60 -u "thinwire*" >&2' ERR
fail() { echo "$*" >&2; false; }
say() { printf '==> %s\n' "$*"; }
await() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$limit" ] || { echo "$what: not within the time" >&2; return 1; }
    sleep 0.2
  done
}
security=--insecure
# shellcheck disable=SC2086  # flags
status() { thinwire status $security --format json 2>/dev/null | sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" || true; }
is() { [ "$(status "$1")" = "$2" ]; }
restarted() { [ "$(systemctl show -P NRestarts thinwire-server)" = 1 ] && [ -n "$(status state)" ]; }
inactive() { [ "$(systemctl is-active "$1")" = inactive ]; }

# thinwire-dev, which is no service, is left out.
services=(/root/packages/thinwire-server_*.deb /root/packages/thinwire-client_*.deb /root/packages/thinwire_*.deb)
say "Installing under systemd"
dpkg -i "${services[@]}" >/dev/null
inactive thinwire-server  # it waits for its configuration

sed -i 's/rounds: 100/rounds: 4/' /etc/thinwire/server.textproto
# Uploads are paced, so that every round takes two seconds or more and the server is killed in one, on any machine.
sed -i 's|^THINWIRE_CLIENT_FLAGS=.*|THINWIRE_CLIENT_FLAGS="--task classify --model mlp --data /srv/data --samples 1000 --uplink 1Mbit"|' \
  /etc/default/thinwire-client
flags=$(sed -n 's/^THINWIRE_CLIENT_FLAGS="\(.*\)"/\1/p' /etc/default/thinwire-client)
echo "THINWIRE_CLIENT_FLAGS=\"$flags --shard 0/2\"" >/etc/thinwire/client-a.env
echo "THINWIRE_CLIENT_FLAGS=\"$flags --shard 1/2\"" >/etc/thinwire/client-b.env
echo "THINWIRE_CLIENT_FLAGS=\"$flags --role evaluator\"" >/etc/thinwire/client-judge.env
systemctl --quiet enable --now thinwire-server
await 20 "the server answers" is state RUN_STATE_INITIALIZING
systemctl --quiet enable --now thinwire-client@a thinwire-client@b thinwire-client@judge
await 60 "the first round" is round_state ROUND_STATE_TRAINING
say "Training; killing the server"
systemctl kill --signal=KILL --kill-whom=main thinwire-server
await 30 "systemd starts it again" restarted
await 200 "the run completes" is state RUN_STATE_COMPLETED
thinwire rounds --insecure
thinwire export --insecure --out /root/model.safetensors
test -s /root/model.safetensors
await 30 "clients end with the run" inactive thinwire-client@a
[ "$(stat -c %U "/proc/$(systemctl show -P MainPID thinwire-server)")" = thinwire ]
[ "$(stat -c %U:%a /var/lib/thinwire-client/a)" = thinwire-client:750 ]

say "Upgrading in place"
before=$(systemctl show -P MainPID thinwire-server)
dpkg -i "${services[@]}" >/dev/null
[ "$(systemctl show -P MainPID thinwire-server)" != "$before" ]  # the new program runs
await 20 "the upgraded server answers" is state RUN_STATE_COMPLETED
grep -q 'rounds: 4' /etc/thinwire/server.textproto  # the operator's file is kept

say "Mutual TLS"
cd /root
systemctl stop thinwire-server
rm -rf certs /var/lib/thinwire-server/*
thinwire certs init certs --server localhost --clients ward --operators alice >/dev/null
install_certificate() {  # WHOSE USER
  cp -r "certs/$1" "/etc/thinwire/tls-$2"
  chown -R "root:$2" "/etc/thinwire/tls-$2"
  chmod 750 "/etc/thinwire/tls-$2"
  chmod 640 "/etc/thinwire/tls-$2"/*
}
install_certificate server thinwire
install_certificate client-ward thinwire-client
tls=/etc/thinwire/tls-thinwire
sed -i "s|^security .*|security { ca: \"$tls/ca.pem\" certificate: \"$tls/cert.pem\" key: \"$tls/key.pem\" }|
        s/rounds: 4/rounds: 2/; s/clients: 2/clients: 1/" /etc/thinwire/server.textproto
tls=/etc/thinwire/tls-thinwire-client
cat >/etc/thinwire/client-ward.env <<END
THINWIRE_SERVER=localhost:9480
THINWIRE_SECURITY="--ca $tls/ca.pem --cert $tls/cert.pem --key $tls/key.pem"
END
operator=/root/certs/operator-alice
security="--server localhost:9481 --ca $operator/ca.pem --cert $operator/cert.pem --key $operator/key.pem"
systemctl start thinwire-server thinwire-client@ward
await 100 "the run over mutual TLS completes" is state RUN_STATE_COMPLETED
journalctl --no-pager -u thinwire-client@ward | grep 'client=ward ' >/dev/null || fail "the client has not the certificate's name"
if thinwire status --insecure >/dev/null 2>&1; then fail "the server answers in plaintext"; fi
rm -rf /etc/thinwire/tls-*  # the operator's, whom the packages leave them to

say "Removing and purging while it runs"
dpkg --remove thinwire-server thinwire-client thinwire >/dev/null
if pgrep -f /usr/bin/thinwire-; then fail "still running, see above"; fi
test -d /var/lib/thinwire-server
dpkg --purge thinwire-server thinwire-client thinwire >/dev/null
for path in /var/lib/thinwire-server /var/lib/thinwire-client /etc/thinwire; do
  [ ! -e "$path" ] || fail "$path is left"
done
[ -z "$(systemctl list-unit-files --no-legend 'thinwire*')" ]
say "Services: passed"
