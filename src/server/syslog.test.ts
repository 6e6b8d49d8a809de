import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitForSyslog } from './syslog.ts'

const x = 'x'.repeat(870)
const cases = [
  { says: 'a short line stays as it is', entry: 'short\n', parts: ['short'] },
  { says: 'a line of 870 characters stays as it is', entry: x, parts: [x] },
  { says: 'a longer one is cut and numbered', entry: `${x}yz`, parts: [`[1/2] ${x}`, '[2/2] yz'] },
  {
    says: 'own line ends are marked',
    entry: 'one\ntwo\nthree\n',
    parts: ['[1\\3] one', '[2\\3] two', '[3/3] three'],
  },
]
for (const { says, entry, parts } of cases)
  test(`syslog: ${says}`, () => assert.deepEqual(splitForSyslog(entry), parts))
