#!/usr/bin/env bash
# requests-cache 1.3.3 (Python), seen 2026-11-30: which URLs it takes for one.
#
# It documents that the order of parameters makes no difference, so that `?a=1&b=2` and `?b=2&a=1` are one entry. Expected: what
# means something else to a server is something else to the cache, as for browsers and for other HTTP caches.
#
# Seen: values of one parameter are sorted too, so that `sort=name&sort=age` is answered with the page of
# `sort=age&sort=name`, and a route by way of two points with the route back. A parameter without a value is left out:
# `tag=` (those that have none) is answered with the page of all. Several slashes are one, as in the path of a store that
# allows empty names. Nothing of this can be seen in the answer: it is a hit like any other, and what is asked first decides
# what both are.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$dir/packages" \
    requests-cache==1.3.3 requests==2.34.2 url-normalize==3.1.0
cat > "$dir/urls.py" <<'PY'
import http.server, sys, threading

sys.path.insert(0, sys.argv[1])
import requests_cache

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
for first, second in (
    ("/?a=1&a=2&b=3", "/?a=1&a=2&b=4"),
    ("/?a=1%2B1", "/?a=1+1"),
    ("/route?via=Rome&via=Oslo", "/route?via=Oslo&via=Rome"),
    ("/posts", "/posts?tag="),
    ("/files/a//b", "/files/a/b"),
):
    client = requests_cache.CachedSession(backend="memory")
    answers = [client.get(f"http://127.0.0.1:{server.server_port}{path}").text for path in (first, second)]
    print(f"{second} after {first}: the page of {answers[1]}")
PY
python3 "$dir/urls.py" "$dir/packages" | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
/?a=1&a=2&b=4 after /?a=1&a=2&b=3: the page of /?a=1&a=2&b=4
/?a=1+1 after /?a=1%2B1: the page of /?a=1+1
/route?via=Oslo&via=Rome after /route?via=Rome&via=Oslo: the page of /route?via=Rome&via=Oslo
/posts?tag= after /posts: the page of /posts
/files/a/b after /files/a//b: the page of /files/a//b
SEEN
