#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12), seen 2026-11-28: a response with two `Vary` lines in front of `proxy_cache`.
#
# RFC 9110, 5.3: lines of one name are one list. Expected: a response with `Vary: accept-language` and
# `Vary: accept-encoding` on two lines is cached by both, whatever their order, as one joined line is.
#
# Seen: only the last line counts. With `accept-language` on the first line a German reader is given the English
# page as a HIT; with the lines exchanged, or joined, each has their own. (Compression layers like to add the second
# line, behind the handler's own.)
set -euo pipefail
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
(cd "$dir" && apt-get download -q nginx=1.22.1-9* >/dev/null && dpkg-deb -x nginx_*.deb nginx)
nginx=$dir/nginx/usr/sbin/nginx
"$nginx" -v 2>&1 | grep -q 'nginx/1\.22\.1'

cat > "$dir/origin.py" <<'PY'
import http.server

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.headers["Accept-Language"].encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        for line in self.path.strip("/").split("+"):
            self.send_header("Vary", line)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 "$dir/origin.py" > "$dir/port" &
until [ -s "$dir/port" ]; do sleep 0.1; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$dir/nginx.conf" <<CONF
daemon off;
pid $dir/pid;
error_log $dir/error.log;
events {}
http {
    access_log off;
    proxy_cache_path $dir/cache keys_zone=pages:1m;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://127.0.0.1:$(cat "$dir/port");
            proxy_cache pages;
            add_header X-Cache \$upstream_cache_status;
        }
    }
}
CONF
"$nginx" -c "$dir/nginx.conf" -e "$dir/error.log" &
ask() { python3 - "$port" "$1" "$2" <<'PY'
import http.client, sys
for _ in range(100):
    try:
        c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        c.request("GET", "/" + sys.argv[2], headers={"Accept-Language": sys.argv[3]})
        r = c.getresponse()
        break
    except ConnectionRefusedError:
        __import__("time").sleep(0.1)
print(f"{sys.argv[2]} asked for {sys.argv[3]}: {r.read().decode()} {r.headers['X-Cache']}")
PY
}
seen=$(for vary in accept-language+accept-encoding accept-encoding+accept-language accept-language,accept-encoding; do
    ask "$vary" en
    ask "$vary" de
done)
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
accept-language+accept-encoding asked for en: en MISS
accept-language+accept-encoding asked for de: en HIT
accept-encoding+accept-language asked for en: en MISS
accept-encoding+accept-language asked for de: de MISS
accept-language,accept-encoding asked for en: en MISS
accept-language,accept-encoding asked for de: de MISS
SEEN
