// Compares results of the conformance tests with what a page says about this version: SUITE RESULTS VERSION [PAGE].
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const [suite, results, version, page] = process.argv.slice(2)
const load = async name => {
  const file = resolve(suite, 'tests', name)
  return existsSync(file) ? (await import(file)).default : []
}
const tests = [...await load('index.mjs'), ...[await load('surrogate-control.mjs')].flat()]
  .flatMap(suite => suite.tests)
  .filter(test => !test.browser_only)
const outcomes = JSON.parse(readFileSync(results, 'utf8'))

// The page has a section for each version that it says something about. In its tables, the first column names tests:
// `name`, or `beginning-*`.
const sections = page ? readFileSync(page, 'utf8').split(/^## /m) : []
const section = sections.find(section => section.split('\n')[0].includes('`' + version.slice(0, 12) + '`'))
const named = (section ?? '').split('\n').filter(line => line.startsWith('| `'))
  .flatMap(line => [...line.split('|')[1].matchAll(/`([^`]+)`/g)].map(match => match[1]))
const names = (pattern, id) => pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : pattern === id

const counts = {}
const unexpected = []
for (const { id, kind = 'required', name } of tests) {
  const passed = outcomes[id] === true
  counts[kind] ??= { passed: 0, failed: 0 }
  counts[kind][passed ? 'passed' : 'failed']++
  if (kind !== 'check' && !passed && !named.some(pattern => names(pattern, id))) {
    unexpected.push(`${id} fails (${kind}): ${name}\n    ${outcomes[id]?.[1] ?? 'it did not run'}`)
  }
}
for (const pattern of named) {
  if (!tests.some(({ id }) => names(pattern, id) && outcomes[id] !== true)) {
    unexpected.push(`${pattern} passes: take it off ${page}`)
  }
}
for (const [kind, { passed, failed }] of Object.entries(counts)) console.log(`${kind}: ${passed} of ${passed + failed} pass`)
for (const line of unexpected) console.log(line)
if (!section) console.log('shown only: no list of expected failures applies to this version with these options')
process.exit(section && unexpected.length ? 1 : 0)
