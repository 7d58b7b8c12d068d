#!/bin/bash
# Asks the server in this container for /healthz, which is 503 if the run's driver hangs (a failed run is healthy: to start
# again would mend nothing); plain bash, so that the image needs no HTTP client.
port=${THINWIRE_HTTP_PORT:-9482}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
read -r _ code _ <&3
[ "$code" = 200 ]
