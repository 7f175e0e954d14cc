#!/usr/bin/env bash
# memcached 1.6.18 (Debian's memcached 1.6.18-1+deb12u1), seen 2026-11-30: what `flush_all` promises, after a second one with a
# delay.
#
# The protocol says of `flush_all` that after it "none of the items will be returned in response to a retrieval command"
# unless they are stored again, and that with a number the same happens after so many seconds. Expected: what was flushed
# stays gone, whatever is flushed later.
#
# Seen: the second command takes the place of the first one. Items that were flushed, and not asked for since, are returned
# again until the delay is over. Those that were asked for in between stay gone.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
chmod 755 "$dir"
(cd "$dir" && apt-get -q download memcached=1.6.18-1+deb12u1 libevent-2.1-7 libsasl2-2 >/dev/null 2>&1)
for package in "$dir"/*.deb; do dpkg -x "$package" "$dir"; done
port=$((20000 + RANDOM % 10000))
user=(); [ "$(id -u)" != 0 ] || user=(-u nobody)
LD_LIBRARY_PATH=$(dirname "$(find "$dir" -name 'libevent-2.1.so.7' -print -quit)") \
    "$dir/usr/bin/memcached" -l 127.0.0.1 -p "$port" -U 0 "${user[@]}" &
server=$!
python3 - "$port" <<'PY' | tee "$dir/seen"
import socket, sys, time

for _ in range(200):
    try:
        server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
replies = server.makefile("rb")

def ask(command):
    server.sendall(f"{command}\r\n".encode())
    return replies.readline().decode().strip()

def found(name):
    line = ask(f"get {name}")
    if line == "END":
        return "gone"
    value = replies.readline().decode().strip()
    replies.readline()
    return value

print(ask("version"))
for name in ("untouched", "asked"):
    ask(f"set {name} 0 0 3\r\nold")
time.sleep(2.5)
print("flush_all:", ask("flush_all"))
print("asked for in between:", found("asked"))
print("flush_all 3600:", ask("flush_all 3600"))
print("asked for in between:", found("asked"))
print("not asked for in between:", found("untouched"))
PY
diff - "$dir/seen" <<'SEEN'
VERSION 1.6.18
flush_all: OK
asked for in between: gone
flush_all 3600: OK
asked for in between: gone
not asked for in between: old
SEEN
