/** Retry rules: what `-brt` says, as observed of Exim 4.96. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryTest } from '../src/flow/delivery/retry/test-rule.ts'
import { createWorld } from './support/routing-world.ts'

const configuration = `
begin retry
foo.bar * F,2h,15m
*.sub.example timeout_connect_MX F,1h,5m; G,16h,1h,1.5
a@b.c quota_4d H,1h,5m,1.5
x.y rcpt_45x senders="a@b : c@d" F,1d,1h
^\\N[^@]+@xyz\\d+\\.abc\\.example$\\N * G,1h,10m,2
none.com refused_A
slow.com * G,1h,5m,1.25
fast.com * F,1h,5m
`
const none = 'No retry information found\n'
const cases: readonly { words: string; sender?: string; text: string; exitCode?: number }[] = [
  { words: 'foo.bar', text: 'Retry rule: foo.bar  *  F,2h,15m; \n' },
  { words: 'u@foo.bar', text: 'Retry rule: foo.bar  *  F,2h,15m; \n' },
  { words: 'sub.example', text: none },
  { words: 'x.sub.example', text: none },
  { words: 'x.sub.example timeout_connect', text: none },
  {
    words: 'x.sub.example timeout_connect_MX',
    text: 'Retry rule: *.sub.example  timeout_connect_MX  F,1h,5m; G,16h,1h,1.5; \n',
  },
  { words: 'h.x foo.bar', text: 'Retry rule: foo.bar  *  F,2h,15m; \n' },
  { words: 'a@b.c quota_4d', text: 'Retry rule: a@b.c  quota_4d  H,1h,5m; \n' },
  { words: 'a@b.c quota', text: none },
  { words: 'a@b.c quota_5d', text: 'Retry rule: a@b.c  quota_4d  H,1h,5m; \n' },
  { words: 'x.y rcpt_452', text: none },
  { words: 'x.y rcpt_452', sender: 'a@b', text: 'Retry rule: x.y  *  F,1d,1h; \n' },
  { words: 'q@x.y rcpt_452', sender: 'a@b', text: 'Retry rule: x.y  *  F,1d,1h; \n' },
  {
    words: 'u@xyz12.abc.example',
    text: 'Retry rule: ^\\N[^@]+@xyz\\d+\\.abc\\.example$\\N  *  G,1h,10m,2.0; \n',
  },
  { words: 'none.com refused_A', text: 'Retry rule: none.com  refused_A  \n' },
  { words: 'none.com refused', text: none },
  { words: 'slow.com', text: 'Retry rule: slow.com  *  G,1h,5m,1.25; \n' },
  { words: 'fast.com slow.com', text: 'Retry rule: slow.com  *  G,1h,5m,1.25; \n' },
  { words: 'nomatch.com', text: none },
  {
    words: 'joe',
    text: `Warning: "joe" contains no '@' and no '.' characters. It is being \ntreated as a one-component domain, not as a local part.\n\n${none}`,
  },
  { words: 'nomatch.com badname', text: 'unknown or malformed retry error "badname"\n', exitCode: 1 },
  { words: '', text: '-brt needs a domain or address argument\n', exitCode: 1 },
]
for (const c of cases) {
  void test(`-brt ${c.words}${c.sender === undefined ? '' : ` from ${c.sender}`}`, async () => {
    const { context } = createWorld(configuration)
    const words = c.words.split(' ').filter((word) => word !== '')
    assert.deepEqual(await retryTest(words, c.sender, context), { text: c.text, exitCode: c.exitCode ?? 0 })
  })
}
