// Compares results of the conformance tests with what a page says about them: SUITE RESULTS PAGE.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const [suite, results, page] = process.argv.slice(2)
const load = async name => (await import(resolve(suite, 'tests', name))).default
const tests = [...await load('index.mjs'), await load('surrogate-control.mjs')]
  .flatMap(suite => suite.tests)
  .filter(test => !test.browser_only)
const outcomes = JSON.parse(readFileSync(results, 'utf8'))

// The first column of the page's tables names tests: `name`, or `beginning-*`.
const named = readFileSync(page, 'utf8').split('\n').filter(line => line.startsWith('| `'))
  .flatMap(line => [...line.split('|')[1].matchAll(/`([^`]+)`/g)].map(match => match[1]))
const names = (pattern, id) => pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : pattern === id

const counts = {}
const unexpected = []
for (const { id, kind = 'required', name } of tests) {
  const passed = outcomes[id] === true
  counts[kind] ??= { passed: 0, failed: 0 }
  counts[kind][passed ? 'passed' : 'failed']++
  if (kind !== 'check' && !passed && !named.some(pattern => names(pattern, id))) {
    unexpected.push(`${id} fails: ${name}\n    ${outcomes[id]?.[1] ?? 'it did not run'}`)
  }
}
for (const pattern of named) {
  if (!tests.some(({ id }) => names(pattern, id) && outcomes[id] !== true)) {
    unexpected.push(`${pattern} passes: take it off ${page}`)
  }
}
for (const [kind, { passed, failed }] of Object.entries(counts)) console.log(`${kind}: ${passed} of ${passed + failed} pass`)
for (const line of unexpected) console.log(line)
process.exit(unexpected.length ? 1 : 0)
