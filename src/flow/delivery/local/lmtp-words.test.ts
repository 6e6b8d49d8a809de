import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inLmtpWords } from './lmtp-words.ts'

// What the lmtp transport of Exim 4.96 logs.
const cases: readonly [said: string, errno: number, logged: string, logsErrno: number][] = [
  [
    'SMTP error from remote mail server after initial connection: 421 x',
    0,
    'LMTP error after initial connection: 421 x',
    -1,
  ],
  [
    'SMTP error from remote mail server after pipelined MAIL FROM:<a>: 451 x',
    -45,
    'LMTP error after MAIL FROM:<a>: 451 x',
    -45,
  ],
  [
    'SMTP error from remote mail server after RCPT TO:<a>: 452 x',
    -44,
    'LMTP error after RCPT TO:<a>: 452 x',
    -44,
  ],
  [
    'SMTP error from remote mail server after pipelined DATA: 451 x',
    -46,
    'LMTP error after DATA: 451 x',
    -46,
  ],
  ['LMTP error after DATA: 452 x', 0, 'LMTP error after end of data: 452 x', -46],
  [
    'Remote host closed connection in response to end of data',
    -18,
    'LMTP connection closed after end of data',
    -1,
  ],
  [
    'Malformed SMTP reply in response to pipelined MAIL FROM:<a>: x',
    -19,
    'Malformed LMTP response after MAIL FROM:<a>: x',
    -19,
  ],
  ['SMTP timeout after initial connection', 110, 'LMTP timeout after initial connection', -1],
]
for (const [said, errno, logged, logsErrno] of cases)
  test(logged, () => {
    const { errno: number, message } = inLmtpWords({ errno, more: 65, message: said })
    assert.deepEqual([message, number], [logged, logsErrno])
  })
