#!/usr/bin/env bash
# undici 7.30.2 (Node.js) with its interceptor `cache`, seen 2026-11-30 (8.13.1 on Node.js 22 does the same): what is stored
# after a validation.
#
# A stored page is asked for again with its `ETag`, and the origin answers `304 Not Modified`, with the `Cache-Control` that it
# would send with the page, as RFC 9110, 15.4.5 requires. RFC 9111, 4.3.4: what is stored is fresh again. Expected: from then on
# a hit, and for `no-cache` a 304 each time.
#
# Seen: a 304 with `max-age` or `no-cache` ends what is stored: the page is served once more, and the next request transfers it
# whole. So a page with `no-cache` is transferred at each second request, and one request with `no-cache` throws away a page
# that was good for an hour. All that the URL has by `Vary` goes with it: the German page is transferred anew because the
# English one was confirmed. A 304 without `Cache-Control`, which RFC 9110 forbids here, ends nothing, and does not make the
# page fresh either. With `stale-while-revalidate` the page is fresh after a 304. The answers are right all the time; an
# origin that counts on its 304s sends half of the bytes that they should save.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --no-save undici@7.30.2
cat > ask.mjs <<'JS'
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, interceptors, request } from "undici";

let answer;
const origin = createServer((asked, response) => {
  const language = asked.headers["accept-language"] ?? "any";
  const unchanged = asked.headers["if-none-match"] === `"${language}"`;
  const { cacheControl, bare304 } = JSON.parse(decodeURIComponent(asked.url.slice(1)));
  if (!(unchanged && bare304)) response.setHeader("Cache-Control", cacheControl);
  response.setHeader("ETag", `"${language}"`);
  response.setHeader("Vary", "Accept-Language");
  response.statusCode = unchanged ? 304 : 200;
  response.end(unchanged ? undefined : `page for ${language}`);
  answer = response.statusCode;
});
await new Promise((listening) => origin.listen(0, "127.0.0.1", listening));

const client = new Agent().compose(interceptors.cache());
async function ask(url, headers = {}) {
  answer = "not asked";
  const response = await request(url, { dispatcher: client, headers });
  const body = await response.body.text();
  // Time for what is asked behind the answer.
  await sleep(100);
  if (!body.startsWith("page for")) throw new Error(`${response.statusCode} ${body}`);
  return answer;
}
const page = (cacheControl, bare304) =>
  `http://127.0.0.1:${origin.address().port}/${encodeURIComponent(JSON.stringify({ cacheControl, bare304 }))}`;

for (const [cacheControl, bare304] of [
  ["max-age=2", false],
  ["max-age=2", true],
  ["max-age=2, stale-while-revalidate=60", false],
]) {
  const url = page(cacheControl, bare304);
  const seen = [await ask(url), await ask(url)];
  await sleep(3100);
  seen.push(await ask(url), await ask(url));
  const name = cacheControl + (bare304 ? ", bare 304" : "");
  console.log(`${name}: ${seen.slice(0, 2).join(", ")}; three seconds later: ${seen.slice(2).join(", ")}`);
}

let url = page("no-cache");
const seen = [];
for (let n = 0; n < 6; n++) seen.push(await ask(url));
console.log(`no-cache: ${seen.join(", ")}`);

url = page("max-age=3600");
console.log(`max-age=3600: ${await ask(url)}, reloaded: ${await ask(url, { "cache-control": "no-cache" })}, then ${await ask(url)}`);

url = page("max-age=7200");
const [en, de] = ["en", "de"].map((language) => ({ "accept-language": language }));
console.log(`max-age=7200: en ${await ask(url, en)}, de ${await ask(url, de)}, de ${await ask(url, de)}`);
console.log(`  en reloaded: ${await ask(url, { ...en, "cache-control": "no-cache" })}, then de ${await ask(url, de)}`);
process.exit();
JS
node ask.mjs | tee seen
diff seen - <<'SEEN'
max-age=2: 200, not asked; three seconds later: 304, 200
max-age=2, bare 304: 200, not asked; three seconds later: 304, 304
max-age=2, stale-while-revalidate=60: 200, not asked; three seconds later: 304, not asked
no-cache: 200, 304, 200, 304, 200, 304
max-age=3600: 200, reloaded: 304, then 200
max-age=7200: en 200, de 200, de not asked
  en reloaded: 304, then de 200
SEEN
