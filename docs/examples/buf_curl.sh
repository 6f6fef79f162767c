#!/usr/bin/env bash
# The API from a shell, with `buf curl` (pip install buf-bin): JSON in, JSON out. The daemon tells the
# schema by reflection.
#
#   MTD_SERVER=mtd.example:50051 MTD_CA_FILE=ca.pem MTD_TOKEN_FILE=token docs/examples/buf_curl.sh
set -euo pipefail

server=${MTD_SERVER:-127.0.0.1:50051}
token=${MTD_TOKEN:-}
[ -z "${MTD_TOKEN_FILE:-}" ] || token=$(tr -d '[:space:]' <"$MTD_TOKEN_FILE")

# With TLS by https; without, to this machine only, by HTTP/2 in the clear (h2c).
if [ -n "${MTD_CA_FILE:-}" ]; then
    base=https://$server
    options=(--cacert "$MTD_CA_FILE")
else
    base=http://$server
    options=(--http2-prior-knowledge)
fi

# The token goes by a file that nobody else can open: what stands on a command line is seen by all.
headers=$(umask 077; mktemp)
trap 'rm -f "$headers"' EXIT
[ -z "$token" ] || printf 'authorization: Bearer %s\n' "$token" >"$headers"

call() { # package.Service/Method, request as JSON
    buf curl --protocol grpc "${options[@]}" --header "@$headers" --data "$2" "$base/mtd.pb.$1"
}

call inventory.v1.SiteService/CreateSite '{"settings": {"name": "shell-site", "labels": {"region": "north"}}}'
call inventory.v1.SiteService/ListSites '{"pageSize": 10}'
call inventory.v1.SiteService/UpdateSite \
    '{"site": "shell-site", "settings": {"notes": "by a shell"}, "updateMask": "notes"}'
call inventory.v1.SiteService/DeleteSite '{"site": "shell-site"}'

# A stream: one JSON object for each message.
call telemetry.v1.TelemetryService/StreamEvents '{"untilNow": true}'

# A refusal: its code is the exit code, times eight, and its reason is in the details (google.rpc.ErrorInfo).
code=0
call inventory.v1.SiteService/GetSite '{"site": "shell-site"}' || code=$?
[ "$code" -eq 40 ] # NOT_FOUND
