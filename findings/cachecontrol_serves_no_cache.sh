#!/usr/bin/env bash
# CacheControl 0.14.4 (Python), seen 2026-11-30: responses that say `no-cache`, and what changes a page.
#
# RFC 9111, 5.2.2.4: a response with `no-cache` is not used for another request without asking its origin, however fresh it is.
# Frameworks write it beside a lifetime from elsewhere, and so `no-cache, max-age=60` is on the web. Section 4.4: a
# successful POST to a URL ends what is stored of it. Expected: both are asked again, as after PUT and DELETE.
#
# Seen: `no-cache` in a response makes no difference where there is a lifetime, by `max-age` or `Expires`: served for a minute
# without a question. (The same word in a request is obeyed.) A POST leaves the old page in place, PUT, PATCH and DELETE do not.
# A lifetime in capitals (`MAX-AGE=60`) is none, although the names of directives have no case.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$dir/packages" \
    CacheControl==0.14.4 requests==2.34.2
cat > "$dir/asks.py" <<'PY'
import http.server, sys, threading, time
from email.utils import formatdate

sys.path.insert(0, sys.argv[1])
import cachecontrol, requests

HEADERS = {
    "lifetime": {"Cache-Control": "max-age=60"},
    "capitals": {"Cache-Control": "MAX-AGE=60"},
    "no-cache": {"Cache-Control": "no-cache, max-age=60", "ETag": '"1"'},
    "expires": {"Cache-Control": "no-cache", "Expires": formatdate(time.time() + 60, usegmt=True), "ETag": '"1"'},
}

class Origin(http.server.BaseHTTPRequestHandler):
    gets = 0

    def answer(self):
        Origin.gets += self.command == "GET"
        self.send_response(200)
        for name, value in HEADERS[self.path.split("/")[1]].items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = cachecontrol.CacheControl(requests.Session())
for name, between in (
    ("lifetime", None), ("capitals", None), ("no-cache", None), ("expires", None),
    ("lifetime", "POST"), ("lifetime", "PUT"), ("lifetime", "PATCH"), ("lifetime", "DELETE"),
):
    url = f"http://127.0.0.1:{server.server_port}/{name}/{between}"
    before = Origin.gets
    client.get(url)
    if between:
        client.request(between, url)
    client.get(url)
    print(f"{name}{f', {between} in between' if between else ''}: asked {Origin.gets - before}")
PY
python3 "$dir/asks.py" "$dir/packages" | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
lifetime: asked 1
capitals: asked 2
no-cache: asked 1
expires: asked 1
lifetime, POST in between: asked 1
lifetime, PUT in between: asked 2
lifetime, PATCH in between: asked 2
lifetime, DELETE in between: asked 2
SEEN
