/** PROXY headers good and bad, for the reader's own test and for that of the whole program. */
import type { Readable } from 'node:stream'
import { crc32c } from '../../src/wire/proxy/crc32c.ts'

const signature = '\r\n\r\n\0\r\nQUIT\n'
const bytes = (...values: number[]): string => String.fromCharCode(...values)
const word = (value: number): string => bytes(value >> 8, value & 255)
export const tlv = (type: number, value: string): string => bytes(type) + word(value.length) + value

/** A header of version 2 with this byte 13 and 14 and what follows the length. */
export function v2(command: number, family: number, rest: string, length = rest.length): string {
  return signature + bytes(command, family) + word(length) + rest
}
export const tcp4 = bytes(192, 0, 2, 1, 198, 51, 100, 9) + word(1234) + word(25)
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

export const good = '192.0.2.1 1234 > 198.51.100.9 25'
export const good6 = '2001:db8::1 1234 > 2001:db8::2 25'
const notLine = 'not a protocol, two addresses and two ports with single spaces'
const notValid = 'an address or a port is not valid'
const cutTlv = 'the fields after the addresses are cut off'

/** What a header says, in short; `!` before why it is none; `foreign`. */
export const proxyHeaders: readonly (readonly [name: string, header: string, expected: string])[] = [
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

/** What nobody has read yet; from Node 26 on one `read` gives one piece. */
export function unread(stream: Readable): Buffer {
  const pieces: Buffer[] = []
  for (;;) {
    const piece = stream.read() as Buffer | null
    if (piece === null) return Buffer.concat(pieces)
    pieces.push(piece)
  }
}
