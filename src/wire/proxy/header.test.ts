/** PROXY headers good and bad: each whole, byte by byte, and glued to the first command. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { tlvTypes } from '../../mail/proxy-tlvs.ts'
import { crc32c } from './crc32c.ts'
import { parseProxyHeader, type ProxyHeader } from './header.ts'
import { readProxyHeader } from './read-header.ts'

const signature = '\r\n\r\n\0\r\nQUIT\n'
const bytes = (...values: number[]): string => String.fromCharCode(...values)
const word = (value: number): string => bytes(value >> 8, value & 255)
const tlv = (type: number, value: string): string => bytes(type) + word(value.length) + value

/** A header of version 2 with this byte 13 and 14 and what follows the length. */
function v2(command: number, family: number, rest: string, length = rest.length): string {
  return signature + bytes(command, family) + word(length) + rest
}
const tcp4 = bytes(192, 0, 2, 1, 198, 51, 100, 9) + word(1234) + word(25)
const six = (last: number): string => bytes(0x20, 1, 0x0d, 0xb8) + '\0'.repeat(11) + bytes(last)
const tcp6 = six(1) + six(2) + word(1234) + word(25)
const mapped = (d: number): string => '\0'.repeat(10) + bytes(255, 255, 192, 0, 2, d)
const paths = '/run/client'.padEnd(108, '\0') + '/run/server'.padEnd(108, '\0')

/** With a checksum field, wrong by `add`. */
function summed(command: number, family: number, rest: string, add = 0): string {
  const without = Buffer.from(v2(command, family, `${rest}${tlv(3, '\0\0\0\0')}`), 'latin1')
  without.writeUInt32BE((crc32c(without) + add) >>> 0, without.length - 4)
  return without.toString('latin1')
}
const ssl = (sub: string): string => tlv(0x20, bytes(1, 0, 0, 0, 0) + sub)

const good = '192.0.2.1 1234 > 198.51.100.9 25'
const good6 = '2001:db8::1 1234 > 2001:db8::2 25'
const notLine = 'not a protocol, two addresses and two ports with single spaces'
const notValid = 'an address or a port is not valid'
const cutTlv = 'the fields after the addresses are cut off'

/** What a header says, in short; `!` before why it is none; `foreign`. */
const rows: readonly (readonly [name: string, header: string, expected: string])[] = [
  // Version 1, good.
  ['v1 IPv4', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25\r\n', good],
  [
    'v1 IPv4, highest values',
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    '255.255.255.255 65535 > 255.255.255.255 65535',
  ],
  ['v1 IPv4, ports 0', 'PROXY TCP4 192.0.2.1 198.51.100.9 0 0\r\n', '192.0.2.1 0 > 198.51.100.9 0'],
  ['v1 IPv4, addresses 0', 'PROXY TCP4 0.0.0.0 0.0.0.0 1 1\r\n', '0.0.0.0 1 > 0.0.0.0 1'],
  ['v1 IPv6', 'PROXY TCP6 2001:db8::1 2001:db8::2 1234 25\r\n', good6],
  ['v1 IPv6 in capitals', 'PROXY TCP6 2001:DB8::1 2001:DB8::2 1234 25\r\n', good6],
  [
    'v1 IPv6 in full',
    'PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 2001:db8:0:0:0:0:0:2 1234 25\r\n',
    good6,
  ],
  [
    'v1 IPv6 of 107 bytes in all',
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
    `${'ffff:'.repeat(7)}ffff 65535 > ${'ffff:'.repeat(7)}ffff 65535`,
  ],
  ['v1 IPv6 loopback', 'PROXY TCP6 ::1 :: 1234 25\r\n', '::1 1234 > :: 25'],
  ['v1 IPv4 as IPv6', 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.9 1234 25\r\n', good],
  ['v1 IPv4 as IPv6 in hexadecimal', 'PROXY TCP6 ::ffff:c000:201 ::ffff:c633:6409 1234 25\r\n', good],
  ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', 'unaddressed'],
  ['v1 UNKNOWN with addresses', 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', 'unaddressed'],
  ['v1 UNKNOWN with anything', 'PROXY UNKNOWN  \t what?\r\n', 'unaddressed'],
  ['v1 UNKNOWN of 107 bytes', `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, 'unaddressed'],
  // Version 1, bad.
  ['v1 of 108 bytes', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, '!no end of line in 107 bytes'],
  ['v1 without end', `PROXY TCP4 ${'1'.repeat(200)}`, '!no end of line in 107 bytes'],
  ['v1 ended by LF', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25\n', '!the line does not end with CRLF'],
  ['v1 UNKNOWN ended by LF', 'PROXY UNKNOWN\n', '!the line does not end with CRLF'],
  ['v1 with CR within', 'PROXY TCP4 192.0.2.1\r198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with two CR', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25\r\r\n', `!${notLine}`],
  ['v1 UNKNOWN in longer word', 'PROXY UNKNOWNS\r\n', `!${notLine}`],
  ['v1 unknown in small letters', 'PROXY unknown\r\n', `!${notLine}`],
  ['v1 without protocol', 'PROXY \r\n', `!${notLine}`],
  ['v1 with protocol alone', 'PROXY TCP4\r\n', `!${notLine}`],
  ['v1 with small letters', 'PROXY tcp4 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with another protocol', 'PROXY UDP4 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 TCP without number', 'PROXY TCP 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 TCP5', 'PROXY TCP5 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with two spaces first', 'PROXY  TCP4 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with two spaces between addresses', 'PROXY TCP4 192.0.2.1  198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with a tab', 'PROXY TCP4 192.0.2.1\t198.51.100.9 1234 25\r\n', `!${notLine}`],
  ['v1 with a space at the end', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25 \r\n', `!${notLine}`],
  ['v1 with one port', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234\r\n', `!${notLine}`],
  ['v1 with three ports', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25 26\r\n', `!${notLine}`],
  ['v1 with an empty port', 'PROXY TCP4 192.0.2.1 198.51.100.9  25\r\n', `!${notLine}`],
  ['v1 with port 65536', 'PROXY TCP4 192.0.2.1 198.51.100.9 65536 25\r\n', `!${notValid}`],
  ['v1 with port 99999', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 99999\r\n', `!${notValid}`],
  ['v1 with port -1', 'PROXY TCP4 192.0.2.1 198.51.100.9 -1 25\r\n', `!${notValid}`],
  ['v1 with port +25', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 +25\r\n', `!${notValid}`],
  ['v1 with a port with a zero before', 'PROXY TCP4 192.0.2.1 198.51.100.9 01234 25\r\n', `!${notValid}`],
  ['v1 with port 00', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 00\r\n', `!${notValid}`],
  ['v1 with a port in hexadecimal', 'PROXY TCP4 192.0.2.1 198.51.100.9 0x19 25\r\n', `!${notValid}`],
  ['v1 with a port like a fraction', 'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25.0\r\n', `!${notValid}`],
  ['v1 with a port of letters', 'PROXY TCP4 192.0.2.1 198.51.100.9 smtp 25\r\n', `!${notValid}`],
  ['v1 with an address with a zero before', 'PROXY TCP4 192.0.02.1 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 with 256 in an address', 'PROXY TCP4 192.0.2.256 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 with three parts in an address', 'PROXY TCP4 192.0.2 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 with five parts in an address', 'PROXY TCP4 192.0.2.1.1 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 with a host name', 'PROXY TCP4 localhost 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 TCP4 with IPv6', 'PROXY TCP4 2001:db8::1 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 TCP6 with IPv4', 'PROXY TCP6 192.0.2.1 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 TCP6 with one of each', 'PROXY TCP6 2001:db8::1 198.51.100.9 1234 25\r\n', `!${notValid}`],
  ['v1 IPv6 with a zone', 'PROXY TCP6 fe80::1%eth0 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 IPv6 in brackets', 'PROXY TCP6 [2001:db8::1] 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 IPv6 with two gaps', 'PROXY TCP6 2001::db8::1 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 IPv6 with nine groups', 'PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 IPv6 with a group of five', 'PROXY TCP6 2001:0db88::1 2001:db8::2 1234 25\r\n', `!${notValid}`],
  ['v1 with NUL in an address', 'PROXY TCP4 192.0.2.1\0 198.51.100.9 1234 25\r\n', `!${notValid}`],
  // Version 2, good.
  ['v2 IPv4', v2(0x21, 0x11, tcp4), good],
  ['v2 IPv6', v2(0x21, 0x21, tcp6), good6],
  ['v2 IPv4 as IPv6', v2(0x21, 0x21, mapped(1) + mapped(2) + word(1) + word(2)), '192.0.2.1 1 > 192.0.2.2 2'],
  ['v2 UNIX', v2(0x21, 0x31, paths), 'unaddressed'],
  ['v2 LOCAL', v2(0x20, 0, ''), 'healthCheck'],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, tcp4), 'healthCheck'],
  ['v2 LOCAL with a family and no addresses', v2(0x20, 0x21, ''), 'healthCheck'],
  ['v2 LOCAL with an unknown family', v2(0x20, 0xff, 'whatever'), 'healthCheck'],
  ['v2 LOCAL with a field', v2(0x20, 0, tlv(5, 'id')), 'healthCheck 5=id'],
  ['v2 LOCAL with its checksum', summed(0x20, 0, ''), /* the sum itself */ 'healthCheck 3'],
  ['v2 with a server name', v2(0x21, 0x11, tcp4 + tlv(2, 'mail.example')), `${good} 2=mail.example`],
  [
    'v2 with fields',
    v2(0x21, 0x21, tcp6 + tlv(1, 'h2') + tlv(4, '\0\0') + tlv(5, 'x') + tlv(0xee, '')),
    `${good6} 1=h2 4=\0\0 5=x 238=`,
  ],
  [
    'v2 with a field twice: the first counts',
    v2(0x21, 0x11, tcp4 + tlv(2, 'a') + tlv(2, 'b')),
    `${good} 2=a`,
  ],
  ['v2 with its checksum', summed(0x21, 0x11, tcp4), `${good} 3`],
  [
    'v2 with its checksum after fields',
    summed(0x21, 0x11, tcp4 + tlv(2, 'mail.example')),
    `${good} 2=mail.example 3`,
  ],
  [
    'v2 with TLS',
    v2(0x21, 0x11, tcp4 + ssl(tlv(0x21, 'TLSv1.3'))),
    `${good} 32=\u0001\0\0\0\0!\0\u0007TLSv1.3`,
  ],
  [
    'v2 with a unique id of 128',
    v2(0x21, 0x11, tcp4 + tlv(5, 'x'.repeat(128))),
    `${good} 5=${'x'.repeat(128)}`,
  ],
  [
    'v2 of all the length there can be',
    v2(0x21, 0x11, tcp4 + tlv(4, '\0'.repeat(65_520))),
    `${good} 4=${'\0'.repeat(65_520)}`,
  ],
  // Version 2, bad.
  ['v2 version 1', v2(0x11, 0x11, tcp4), '!version 1'],
  ['v2 version 3', v2(0x31, 0x11, tcp4), '!version 3'],
  ['v2 version of the draft', v2(0x02, 0x01, tcp4), '!version 0'],
  ['v2 command 2', v2(0x22, 0x11, tcp4), '!command 2'],
  ['v2 command 15', v2(0x2f, 0x11, tcp4), '!command 15'],
  ['v2 without family', v2(0x21, 0x00, ''), '!address family 0'],
  ['v2 family 4', v2(0x21, 0x41, tcp4), '!address family 4'],
  ['v2 family 15', v2(0x21, 0xf1, tcp4), '!address family 15'],
  ['v2 datagrams', v2(0x21, 0x12, tcp4), '!transport protocol 2'],
  ['v2 IPv6 datagrams', v2(0x21, 0x22, tcp6), '!transport protocol 2'],
  ['v2 UNIX datagrams', v2(0x21, 0x32, paths), '!transport protocol 2'],
  ['v2 no protocol', v2(0x21, 0x10, tcp4), '!transport protocol 0'],
  ['v2 protocol 3', v2(0x21, 0x13, tcp4), '!transport protocol 3'],
  ['v2 length 0', v2(0x21, 0x11, ''), '!the addresses are cut off'],
  ['v2 IPv4 one byte short', v2(0x21, 0x11, tcp4.slice(0, -1)), '!the addresses are cut off'],
  ['v2 IPv6 one byte short', v2(0x21, 0x21, tcp6.slice(0, -1)), '!the addresses are cut off'],
  ['v2 IPv6 with the addresses of IPv4', v2(0x21, 0x21, tcp4), '!the addresses are cut off'],
  ['v2 UNIX one byte short', v2(0x21, 0x31, paths.slice(0, -1)), '!the addresses are cut off'],
  ['v2 with one byte of a field', v2(0x21, 0x11, `${tcp4}\u0001`), `!${cutTlv}`],
  ['v2 with two bytes of a field', v2(0x21, 0x11, `${tcp4}\u0001\0`), `!${cutTlv}`],
  ['v2 with a field cut off', v2(0x21, 0x11, tcp4 + tlv(2, 'mail.example').slice(0, -1)), `!${cutTlv}`],
  ['v2 with a field of 65535', v2(0x21, 0x11, `${tcp4}\u0002\xff\xff`), `!${cutTlv}`],
  ['v2 with bytes after a field', v2(0x21, 0x11, `${tcp4}${tlv(2, 'x')}\0`), `!${cutTlv}`],
  ['v2 LOCAL with a field cut off', v2(0x20, 0, '\u0005\0\u0009x'), `!${cutTlv}`],
  ['v2 with a wrong checksum', summed(0x21, 0x11, tcp4, 1), '!the CRC32C checksum is wrong'],
  ['v2 LOCAL with a wrong checksum', summed(0x20, 0, '', 1), '!the CRC32C checksum is wrong'],
  [
    'v2 with a checksum of three bytes',
    v2(0x21, 0x11, tcp4 + tlv(3, 'abc')),
    '!a CRC32C field is not of 4 bytes',
  ],
  ['v2 with two checksums', summed(0x21, 0x11, tcp4 + tlv(3, 'abcd')), '!two checksums'],
  ['v2 with a unique id of 129', v2(0x21, 0x11, tcp4 + tlv(5, 'x'.repeat(129))), '!a unique id is too long'],
  ['v2 with TLS too short', v2(0x21, 0x11, tcp4 + tlv(0x20, '\u0001\0\0\0')), '!an SSL field is too short'],
  [
    'v2 with TLS cut off inside',
    v2(0x21, 0x11, tcp4 + ssl('!\0\u0007TLSv1')),
    '!fields within SSL are cut off',
  ],
  // No header.
  ['a command', 'EHLO client.example\r\n', 'foreign'],
  ['a command that begins alike', 'PROXIMATE\r\n', 'foreign'],
  ['PROXY in small letters', 'proxy TCP4 192.0.2.1 198.51.100.9 1234 25\r\n', 'foreign'],
  ['PROXY with a tab', 'PROXY\tTCP4 192.0.2.1 198.51.100.9 1234 25\r\n', 'foreign'],
  ['PROXY alone', 'PROXY\r\n', 'foreign'],
  ['a space before PROXY', ' PROXY UNKNOWN\r\n', 'foreign'],
  ['an empty line', '\r\nEHLO x\r\n', 'foreign'],
  ['a signature with a wrong byte', '\r\n\r\n\0\r\nQUIT\r!\u0011\0\0', 'foreign'],
  ['TLS', '\u0016\u0003\u0001\u0002\0', 'foreign'],
]

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

test('at least eighty headers are in the table', () => assert.ok(rows.length >= 80, String(rows.length)))

test('a header in one piece', () => {
  for (const [name, header, expected] of rows) {
    const found = parseProxyHeader(latin1(header))
    const said =
      found.is === 'header' ? inShort(found.header) : found.is === 'invalid' ? `!${found.why}` : found.is
    assert.equal(said, expected, name)
    if (found.is === 'header') assert.equal(found.length, header.length, name)
  }
})

test('no beginning of a header is judged too early, and asking for more never asks for too much', () => {
  for (const [name, header, expected] of rows) {
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
  const rest = result.rest.toString('latin1') + ((stream.read() as Buffer | null)?.toString('latin1') ?? '')
  return `${result.is === 'header' ? inShort(result.header) : `!${result.why}`} | ${rest}`
}
const splitUp = (text: string): Buffer[] => Array.from(text, (one) => latin1(one))

/** What is left after the header when a command follows. */
function left(header: string, expected: string, command: string): string {
  if (expected === 'foreign') return `!no PROXY header | ${header}${command}`
  return `${expected} | ${command}`
}

test('a header glued to the first command leaves the command', async () => {
  for (const [name, header, expected] of rows) {
    const unended = expected.startsWith('!no end of line')
    assert.equal(
      await read([latin1(`${header}EHLO x\r\n`)]),
      left(header, expected, unended ? '' : 'EHLO x\r\n'),
      name,
    )
  }
})

test('a header that comes byte by byte, with the command behind', async () => {
  for (const [name, header, expected] of rows) {
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
