import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deferredLine, deliveredLine, failedLine, logDuration, printable } from './delivery-lines.ts'

const nothing = (): boolean => false
const all = (): boolean => true
const address = {
  shown: 'one@sink.test',
  original: 'z@alias.test',
  parents: ['mid@alias.test'],
  sender: 'a@b',
  returnPath: 'a@b',
  router: 'r',
  transport: 't',
}
const host = { name: 'h.test', address: '192.0.2.1', port: 25, localAddress: '192.0.2.9', localPort: 4711 }

const lines: readonly { says: string; line: string; text: string }[] = [
  {
    says: 'a delivery with nothing selected',
    line: deliveredLine(
      { ...address, flag: '=>', sizeBytes: 9, host, confirmation: '250 ok', queueMs: 1, deliveryMs: 1 },
      nothing,
    ),
    text: '=> one@sink.test <z@alias.test> R=r T=t H=h.test [192.0.2.1]',
  },
  {
    says: 'a pipe shows who asked for it',
    line: deliveredLine(
      {
        ...address,
        shown: '|/bin/cat',
        special: true,
        parents: ['near@alias.test', 'mid@alias.test'],
        flag: '=>',
        sizeBytes: 9,
        queueMs: 1,
        deliveryMs: 1,
      },
      nothing,
    ),
    text: '=> |/bin/cat (near@alias.test) <z@alias.test> R=r T=t',
  },
  {
    says: 'a delivery with everything selected',
    line: deliveredLine(
      {
        ...address,
        flag: '->',
        sizeBytes: 9,
        host: { ...host, continued: true },
        pipelined: true,
        chunked: true,
        confirmation: '250-a "b"\n250 c',
        shadow: 's (failed)',
        queueMs: 65_000,
        deliveryMs: 42,
      },
      all,
    ),
    text: '-> one@sink.test (mid@alias.test) <z@alias.test> F=<a@b> P=<a@b> R=r T=t S=9 H=h.test [192.0.2.1]:25* I=[192.0.2.9]:4711 L K C="250-a \\"b\\"\\\\n250 c" ST=s (failed) QT=1m5s DT=0.042s',
  },
  {
    says: 'a failure',
    line: failedLine({ ...address, host, message: 'no\nway', deliveryMs: 0 }, all),
    text: '** one@sink.test (mid@alias.test) <z@alias.test> F=<a@b> P=<a@b> R=r T=t H=h.test [192.0.2.1]:25 I=[192.0.2.9]:4711: no\\nway DT=0.000s',
  },
  {
    says: 'a deferral by the system',
    line: deferredLine(
      { ...address, errno: 111, errorText: 'Connection refused', message: undefined, deliveryMs: 0 },
      nothing,
    ),
    text: '== one@sink.test <z@alias.test> R=r T=t defer (111): Connection refused',
  },
]
for (const c of lines) void test(`line: ${c.says}`, () => assert.equal(c.line, c.text))

void test('line: times', () => {
  assert.equal(logDuration(42, nothing), '0s')
  assert.equal(logDuration(42, all), '0.042s')
  assert.equal(logDuration(3_725_000, all), '1h2m5s')
})

void test('line: no control character from outside gets into a line', () => {
  assert.equal(printable('a\nb\rc\td\x00e\x7f'), 'a\\nb\\rc\\td\\000e\\177')
})
