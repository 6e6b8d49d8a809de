/** Random and mutated beginnings of connections, cut at random places, into the reader of PROXY headers. */
import { PassThrough } from 'node:stream'
import { parseProxyHeader } from '../../../src/wire/proxy/header.ts'
import { readProxyHeader } from '../../../src/wire/proxy/read-header.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const signature = '\r\n\r\n\0\r\nQUIT\n'
const seeds = [
  'PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO x\r\n',
  'PROXY TCP6 2001:db8::1 2001:db8::2 65535 25\r\n',
  'PROXY UNKNOWN\r\n',
  'PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n',
  `${signature}\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19EHLO x\r\n`,
  `${signature}\x20\0\0\0`,
  `${signature}\x21\x21\0\x24${'\x20\x01\x0d\xb8'.repeat(8)}\0\x19\0\x1a`,
  `${signature}\x21\x11\0\x14\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19\x02\0\x05mx.ex`,
  `${signature}\x21\x31\0\xd8${'/'.repeat(216)}`,
]
const bits = [
  '\r\n',
  '\r',
  '\n',
  ' ',
  '\0',
  '\xff',
  'TCP4',
  'TCP6',
  'UNKNOWN',
  '::',
  '65536',
  '-1',
  '\x20',
  '\x03\0\x04',
]

export const proxyHeaders: FuzzTarget = {
  name: 'proxy-headers',
  says: 'what comes instead of a PROXY header is refused, and no byte of the client is lost or made up',
  make: () => ({
    // The first byte says how the rest is cut.
    generate: (random: Random) =>
      String.fromCharCode(random.below(256)) + mutate(random.pick(seeds), random, seeds, bits),
    async run(input) {
      const bytes = Buffer.from(input.slice(1), 'latin1')
      const whole = parseProxyHeader(bytes)
      const step = 1 + (input.charCodeAt(0) % 40)
      const stream = new PassThrough()
      const read = readProxyHeader(stream, 1000)
      for (let at = 0; at < bytes.length; at += step) stream.write(bytes.subarray(at, at + step))
      stream.end()
      const result = await read
      if (result.is === 'closed') return result.is
      if (whole.is === 'header' && result.is !== 'header') throw new Error('refused in pieces, taken whole')
      if (whole.is !== 'header' && result.is === 'header') throw new Error('taken in pieces, refused whole')
      if (
        result.is === 'header' &&
        whole.is === 'header' &&
        result.rest.length > bytes.length - whole.length
      ) {
        throw new Error('bytes were made up')
      }
      return result.is
    },
  }),
}
