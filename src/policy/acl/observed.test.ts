import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyBench } from '../../../test/support/policy-world.ts'
import { encodeUtf8, textOf } from '../../base/text.ts'
import type { AclResult, VerifyRequest, VerifyResult } from '../../ports.ts'
import { observedAcls } from '../../../test/support/observed-acls.ts'

/** The routers of the configuration that was observed. */
function verify({ address }: VerifyRequest): VerifyResult {
  if (address.startsWith('bad@')) {
    return { is: 'fail', userMessage: 'no such user', logMessage: 'no such user', failure: 'route' }
  }
  if (address.startsWith('def@')) return { is: 'defer', userMessage: 'wait', logMessage: 'wait' }
  return { is: 'ok', addressData: `ad-${address.split('@')[0] ?? ''}` }
}

/** The session's part: reply and log line of a verdict. */
function replyOf(result: AclResult): string[] {
  const refused = result.verdict === 'deny' || result.verdict === 'drop'
  const later = result.verdict === 'defer' || result.verdict === 'error'
  const code = refused ? '550' : later ? '451' : '250'
  const standard = refused
    ? 'Administrative prohibition'
    : later
      ? 'Temporary local problem - please try later'
      : 'Accepted'
  const text = result.userMessage ?? standard
  const own = /^(\d{3}) (?:(\d\.\d\.\d) )?/.exec(text)
  const status = own?.[2] === undefined ? '' : `${own[2]} `
  const lines = text.slice(own?.[0].length ?? 0).split('\n')
  return lines.map((line, index) => `${code}${index < lines.length - 1 ? '-' : ' '}${status}${line}`)
}

function logOf(result: AclResult, rcpt: string): string[] {
  const who = 'H=(x) [192.0.2.1] F=<s@a.example> '
  const reason = result.logMessage === undefined || result.logMessage === '' ? '' : `: ${result.logMessage}`
  const where = result.logReject === undefined || result.logReject.main || result.logReject.reject
  if (result.verdict === 'discard') return [`${who}RCPT <${rcpt}>: discarded by RCPT ACL${reason}`]
  if (result.verdict === 'accept' || !where) return []
  const later = result.verdict === 'defer' || result.verdict === 'error'
  return [`${who}${later ? 'temporarily ' : ''}rejected RCPT <${rcpt}>${reason}`]
}

for (const row of observedAcls) {
  test(`Exim 4.96: ${JSON.stringify(row.acl)} for ${row.rcpt}`, async () => {
    const [localPart = '', domain = ''] = row.rcpt.split('@')
    const bench = policyBench({
      acls: `r:\n${row.acl}`,
      lists: [
        ['domain', 'local', 'a.example : *.l.example'],
        ['host', 'friends', '192.0.2.0/24 : !10.0.0.1'],
      ],
      address: { localPart, domain },
      verify,
    })
    const result = await bench.runAcl('r', 'rcpt', bench.context)
    assert.deepEqual(replyOf(result), row.reply)
    const log = [...bench.log.map((line) => line.replace(/^[a-z+]+: /, '')), ...logOf(result, row.rcpt)]
    assert.deepEqual(log, row.log)
    assert.deepEqual(
      bench.debug.map((line) =>
        textOf(line).replace(/\(exim\.conf (\d+)\)/, (_all, n) => `(exim.conf ${Number(n) - 1})`),
      ),
      row.debug.map(encodeUtf8),
    )
  })
}
