#!/usr/bin/env bash
# cache-manager 7.2.9 with keyv 5.6.0 (Node.js), seen 2026-11-30: how long a value lives in two tiers, one in the memory of each
# process and one that all share. cacheable 2.5.0 beside it.
#
# A value is made by `wrap` with a `ttl`, goes to both tiers, and another process reads it, by `wrap` too, shortly before its end.
# That fills this process's memory from the shared tier. Expected: the value ends when its lifetime does, for all.
#
# Seen: what comes from the shared tier is given its whole lifetime again in memory. The shared tier has forgotten the value,
# processes that ask now make a new one, and the one that came late serves the old one for one more `ttl`: an hour is up to two.
# (`get` fills no tier.) cacheable gives memory what is left. With cache-manager, give the first store a short `ttl` of its own:
# `wrap` without a `ttl` uses it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --no-save cache-manager@7.2.9 keyv@5.6.0 cacheable@2.5.0
cat > tiers.mjs <<'JS'
import { setTimeout as sleep } from "node:timers/promises";
import { createCache } from "cache-manager";
import { Cacheable } from "cacheable";
import Keyv from "keyv";

const ttl = 4000;
const manager = (tiers) => {
  const cache = createCache({ stores: tiers });
  return (make) => cache.wrap("key", make, { ttl });
};
const cacheable = ([primary, secondary]) => {
  const cache = new Cacheable({ primary, secondary });
  return (make) => cache.getOrSet("key", make, { ttl });
};
for (const [name, process] of Object.entries({ "cache-manager": manager, cacheable })) {
  const shared = new Map();
  const [first, late] = [0, 1].map(() => process([new Keyv(), new Keyv({ store: shared })]));
  let made = 0;
  const make = async () => ++made;
  await first(make);
  const began = performance.now();
  await sleep(2600);
  await late(make);
  // More than one lifetime after the value was made, and less than one after the late read.
  await sleep(began + 5200 - performance.now());
  console.log(`${name}: the first process has value ${await first(make)}, the late one value ${await late(make)}`);
}
JS
node tiers.mjs | tee seen
diff seen - <<'SEEN'
cache-manager: the first process has value 2, the late one value 1
cacheable: the first process has value 2, the late one value 2
SEEN
