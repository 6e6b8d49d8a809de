/** PROXY headers good and bad: each whole, byte by byte, and glued to the first command. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { tlvTypes } from '../../mail/proxy-tlvs.ts'
import { crc32c } from './crc32c.ts'
import { good, proxyHeaders, tcp4, tlv, unread, v2 } from '../../../test/support/proxy-headers.ts'
import { parseProxyHeader, type ProxyHeader } from './header.ts'
import { readProxyHeader } from './read-header.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

function inShort(header: ProxyHeader): string {
  const start =
    header.is === 'proxied'
      ? `${header.client.address} ${header.client.port} > ${header.target.address} ${header.target.port}`
      : header.is
  const tlvs = [...header.tlvs].map(([type, value]) =>
    type === tlvTypes.crc32c ? ' 3' : ` ${type}=${value}`,
  )
  return start + tlvs.join('')
}

test('at least eighty headers are in the table', () =>
  assert.ok(proxyHeaders.length >= 80, String(proxyHeaders.length)))

test('a header in one piece', () => {
  for (const [name, header, expected] of proxyHeaders) {
    const found = parseProxyHeader(latin1(header))
    const said =
      found.is === 'header' ? inShort(found.header) : found.is === 'invalid' ? `!${found.why}` : found.is
    assert.equal(said, expected, name)
    if (found.is === 'header') assert.equal(found.length, header.length, name)
  }
})

test('no beginning of a header is judged too early, and asking for more never asks for too much', () => {
  for (const [name, header, expected] of proxyHeaders) {
    if (expected === 'foreign' || header.length > 1000) continue
    const whole = parseProxyHeader(latin1(header))
    const length = 'length' in whole ? whole.length : header.length
    for (let size = 0; size < Math.min(length, expected.startsWith('!no end') ? 107 : length); size++) {
      const found = parseProxyHeader(latin1(header.slice(0, size)))
      assert.equal(found.is, 'more', `${name}: ${size} bytes`)
      if (found.is === 'more') assert.ok(found.least > size && found.least <= Math.max(16, length), name)
    }
  }
})

/** Reads the pieces and tells what came of it, and what is left for the client. */
async function read(pieces: readonly Buffer[], timeoutMs = 5000): Promise<string> {
  const stream = new PassThrough()
  const reading = readProxyHeader(stream, timeoutMs)
  for (const piece of pieces) stream.write(piece)
  const result = await reading
  if (result.is === 'closed') return 'closed'
  // What had not been looked at is still in the stream.
  const rest = Buffer.concat([result.rest, unread(stream)]).toString('latin1')
  return `${result.is === 'header' ? inShort(result.header) : `!${result.why}`} | ${rest}`
}
const splitUp = (text: string): Buffer[] => Array.from(text, (one) => latin1(one))

/** What is left after the header when a command follows. */
function left(header: string, expected: string, command: string): string {
  if (expected === 'foreign') return `!no PROXY header | ${header}${command}`
  return `${expected} | ${command}`
}

test('a header glued to the first command leaves the command', async () => {
  for (const [name, header, expected] of proxyHeaders) {
    const unended = expected.startsWith('!no end of line')
    assert.equal(
      await read([latin1(`${header}EHLO x\r\n`)]),
      left(header, expected, unended ? '' : 'EHLO x\r\n'),
      name,
    )
  }
})

test('a header that comes byte by byte, with the command behind', async () => {
  for (const [name, header, expected] of proxyHeaders) {
    if (header.length > 1000) continue
    if (expected.startsWith('!no end of line')) {
      assert.equal(await read(splitUp(header)), `${expected} | ${header.slice(107)}`, name)
    } else {
      assert.equal(await read(splitUp(`${header}EHLO x\r\n`)), left(header, expected, 'EHLO x\r\n'), name)
    }
  }
})

test('a long header is cut in pieces of every size', async () => {
  const header = v2(0x21, 0x11, tcp4 + tlv(4, '\0'.repeat(1000)))
  for (let cut = 1; cut < header.length; cut += 7) {
    const pieces = [latin1(header.slice(0, cut)), latin1(`${header.slice(cut)}EHLO x\r\n`)]
    assert.equal(await read(pieces), `${good} 4=${'\0'.repeat(1000)} | EHLO x\r\n`)
  }
})

test('one time limit holds for the whole header, however often a byte comes', async () => {
  const stream = new PassThrough()
  const began = Date.now()
  const timer = setInterval(() => stream.write('P'.padEnd(1)), 20)
  stream.write('PROXY UNKNOWN ')
  const result = await readProxyHeader(stream, 200)
  clearInterval(timer)
  assert.ok(Date.now() - began < 1000)
  assert.equal(result.is === 'failed' && result.why, 'timed out in the header')
  assert.equal(await read([], 50), '!timed out | ')
})

test('a peer that goes before the header is there is told apart', async () => {
  const stream = new PassThrough()
  const reading = readProxyHeader(stream, 5000)
  stream.end('PROXY TCP4')
  assert.equal((await reading).is, 'closed')
  assert.equal((await readProxyHeader(stream, 5000)).is, 'closed')
})

test('CRC32C is that of RFC 3720, appendix B.4', () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})
