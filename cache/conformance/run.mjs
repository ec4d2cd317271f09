// Runs the suite as its cli does, or of it what is to be run again, and gives each test the verdict that the suite's pages show.
import fs from 'node:fs'
import fetch from 'node-fetch'
import { getResults, runTests } from 'http-cache-tests/client/runner.mjs'
import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'

const words = {
  '✅': 'pass', '⛔️': 'fail', '⚠️': 'fail', Y: 'yes', N: 'no',
  '🔹': 'setup', '⚪️': 'dependency', '↻': 'retry', '⁉️': 'harness', '-': 'untested'
}
const { base, again, found } = JSON.parse(fs.readFileSync(0))
suites.push(surrogate) // not in the index
const chosen = again ? suites.map(suite => ({ ...suite, tests: suite.tests.filter(test => again.includes(test.id)) })) : suites

let slowest = 0 // answer, in ms
const failures = {} // which the origin did not give, by test: the suite says that they come from the cache
async function watched (url, init) {
  const begin = performance.now()
  const response = await fetch(url, init)
  slowest = Math.max(slowest, performance.now() - begin)
  if (response.status >= 500 && !response.headers.has('server-request-count')) {
    const id = init?.headers?.find(([name]) => name === 'Test-ID')
    if (id) failures[id[1]] = ` (it is a ${response.status})`
  }
  return response
}

await runTests(chosen, watched, false, base)
const results = { ...found, ...getResults() }

function verdict (test) {
  const result = results[test.id]
  // The pages would call this one a fail, but neither an expectation nor the setup is what failed.
  if (Array.isArray(result) && !['Assertion', 'Setup'].includes(result[0])) return 'harness'
  return words[determineTestResult(suites, test.id, results)[2]]
}

console.log(JSON.stringify({
  found: results,
  slowest,
  rows: suites.flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({
    section: suite.name,
    id: test.id,
    name: test.name,
    kind: test.kind ?? 'required',
    verdict: verdict(test),
    detail: results[test.id] === true ? '' : [results[test.id]].flat().join(': ') + (failures[test.id] ?? '')
  })))
}))
