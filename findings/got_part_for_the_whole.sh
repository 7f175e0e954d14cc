#!/usr/bin/env bash
# got 14.6.6 (Node.js) with its option `cache`, by cacheable-request 13.0.19 and http-cache-semantics 4.3.0, seen 2026-11-30.
#
# A client asks for the first four bytes of a file, is answered `206 Partial Content` with `Cache-Control: max-age=60`, and then asks
# for the file. RFC 9111, 3.3 and 3.4: a part may be stored as such, and may not be used to answer a request for the whole; a cache that
# cannot tell parts apart does not store them, and that is what http-cache-semantics says that it does. Expected: the second
# request goes to the server.
#
# Seen: it is answered with the part, from the cache, and so is a request for other bytes of the file. got shows it as it is, a
# `206` that was not asked for; code that looks at `response.ok` or at the body takes four bytes for the file. The policy looks at the
# property `status` of a response, which those of Node.js do not have (it is `statusCode` there), and takes it for 200 then: asked
# directly, with `status`, it refuses.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-save --ignore-scripts --no-audit --no-fund \
    got@14.6.6 cacheable-request@13.0.19 http-cache-semantics@4.3.0 >/dev/null
cat > "$dir/part.mjs" <<'JS'
import http from 'node:http'
import got from 'got'
import CachePolicy from 'http-cache-semantics'

const FILE = '0123456789'
let asked = 0
const server = http.createServer((request, response) => {
    asked += 1
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    const headers = { 'Cache-Control': 'max-age=60', ETag: '"file"' }
    if (!range) return response.writeHead(200, headers).end(FILE)
    const [from, to] = [Number(range[1]), Number(range[2])]
    headers['Content-Range'] = `bytes ${from}-${to}/${FILE.length}`
    response.writeHead(206, headers).end(FILE.slice(from, to + 1))
})
server.listen(0, '127.0.0.1', async () => {
    const url = `http://127.0.0.1:${server.address().port}/file`
    const cache = new Map()
    for (const range of ['bytes=0-3', undefined, 'bytes=4-7']) {
        const response = await got(url, { cache, headers: { range } })
        const source = response.isFromCache ? 'from the cache' : 'from the server'
        console.log(`${range ?? 'the file'}: ${response.statusCode} "${response.body}" ${source}`)
    }
    console.log(`the server was asked ${asked} times`)
    const request = { method: 'GET', url: '/file', headers: { range: 'bytes=0-3' } }
    const headers = { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-3/10' }
    console.log(`by status: storable ${new CachePolicy(request, { status: 206, headers }).storable()}`)
    console.log(`by statusCode: storable ${new CachePolicy(request, { statusCode: 206, headers }).storable()}`)
    process.exit()
})
JS
node "$dir/part.mjs" | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
bytes=0-3: 206 "0123" from the server
the file: 206 "0123" from the cache
bytes=4-7: 206 "0123" from the cache
the server was asked 1 times
by status: storable false
by statusCode: storable true
SEEN
