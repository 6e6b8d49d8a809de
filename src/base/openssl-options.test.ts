import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { test } from 'node:test'
import { readOpensslOptions } from './openssl-options.ts'

const cases = [
  {
    says: 'the default',
    text: '+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation',
    bits: constants.SSL_OP_NO_SSLv3 + constants.SSL_OP_NO_TICKET + constants.SSL_OP_NO_RENEGOTIATION,
  },
  { says: 'the last word counts', text: '+no_ticket -no_ticket', bits: 0 },
  { says: 'switches that OpenSSL 3 has no more do nothing', text: '+microsoft_big_sslv3_buffer', bits: 0 },
  { says: 'an unknown switch', text: '+no_such', problem: 'openssl_option unrecognised: "+no_such"' },
  { says: 'no sign', text: 'no_ticket', problem: 'openssl_option parse error: "no_ticket"' },
]
for (const c of cases) {
  test(`openssl_options: ${c.says}`, () => {
    const { problem, bits } = c
    assert.deepEqual(
      readOpensslOptions(c.text),
      problem === undefined ? { bits: (bits ?? 0) >>> 0 } : { problem },
    )
  })
}
