#!/usr/bin/env bash
# Three HTTP caches for Python clients, and `Age`: hishel 2.0.0 (`rfc=True`), CacheControl 0.14.4 and requests-cache 1.3.3
# (`cache_control=True`), seen 2026-11-30.
#
# A response comes out of another cache, a CDN for example: `Cache-Control: max-age=60` and `Age: 100`. RFC 9111, 4.2.3: it is
# 100 seconds old and more, so that its minute was over before it arrived. Expected: the next request asks again.
#
# Seen: each of the three serves it for 60 seconds more. A page behind a cache that keeps it for an hour is two hours old at
# last, although both caches say that they follow its `max-age`. What an origin can do: a `Date` that the cache in front leaves as
# it was, which CacheControl and hishel do reckon with, and requests-cache does not.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$dir/packages" \
    hishel==2.0.0 httpx==0.28.1 anyio==4.16.0 anysqlite==0.0.5 CacheControl==0.14.4 requests-cache==1.3.3 requests==2.34.2
cat > "$dir/age.py" <<'PY'
import http.server, sys, tempfile, threading, time
from email.utils import formatdate

sys.path.insert(0, sys.argv[1])
import cachecontrol, hishel, hishel.httpx, requests, requests_cache

class Origin(http.server.BaseHTTPRequestHandler):
    """Behind a cache that has had each page for 100 seconds."""
    asked = 0

    def do_GET(self):
        Origin.asked += 1
        self.send_response_only(200)
        old = 100 if self.path == "/old-date" else 0
        self.send_header("Date", formatdate(time.time() - old, usegmt=True))
        self.send_header("Cache-Control", "max-age=60")
        if self.path != "/new":
            self.send_header("Age", "100")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
threading.Thread(target=server.serve_forever, daemon=True).start()
storage = hishel.SqliteStorage(database_path=f"{tempfile.mkdtemp(dir=sys.argv[2])}/cache.db")
for name, client in (
    ("hishel", hishel.httpx.CacheClient(storage=storage, rfc=True)),
    ("CacheControl", cachecontrol.CacheControl(requests.Session())),
    ("requests-cache", requests_cache.CachedSession(backend="memory", cache_control=True)),
):
    for path in ("/new", "/age", "/old-date"):
        before = Origin.asked
        for _ in range(2):
            client.get(f"http://127.0.0.1:{server.server_port}{path}")
        print(f"{name} {path}: the origin is asked {'once' if Origin.asked == before + 1 else 'twice'}")
PY
python3 "$dir/age.py" "$dir/packages" "$dir" | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
hishel /new: the origin is asked once
hishel /age: the origin is asked once
hishel /old-date: the origin is asked twice
CacheControl /new: the origin is asked once
CacheControl /age: the origin is asked once
CacheControl /old-date: the origin is asked twice
requests-cache /new: the origin is asked once
requests-cache /age: the origin is asked once
requests-cache /old-date: the origin is asked once
SEEN
