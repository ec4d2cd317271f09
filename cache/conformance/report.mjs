// Reads what the suite's cli found, and writes each test with the verdict that the suite's own pages show for it.
import fs from 'node:fs'
import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'

const words = {
  '✅': 'pass', '⛔️': 'fail', '⚠️': 'fail', Y: 'yes', N: 'no',
  '🔹': 'setup', '⚪️': 'dependency', '↻': 'retry', '⁉️': 'harness', '-': 'untested'
}
const found = JSON.parse(fs.readFileSync(0))
suites.push(surrogate) // as the cli does
console.log(JSON.stringify(suites.flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({
  section: suite.name,
  id: test.id,
  name: test.name,
  kind: test.kind ?? 'required',
  verdict: words[determineTestResult(suites, test.id, found)[2]],
  detail: found[test.id] === true ? '' : [found[test.id]].flat().join(': ')
})))))
