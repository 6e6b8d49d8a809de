import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHosts, parseResolvConf, parseServers } from './servers.ts'

const servers: readonly (readonly [text: string, servers: readonly string[]])[] = [
  ['127.0.0.1:5353', ['127.0.0.1 5353']],
  ['127.0.0.1', ['127.0.0.1 53']],
  ['192.0.2.1:53,[2001:db8::1]:54', ['192.0.2.1 53', '2001:db8::1 54']],
  ['2001:db8::1', ['2001:db8::1 53']],
  ['[::1]', ['::1 53']],
  ['', []],
  ['example.com:53', []],
]

for (const [text, expected] of servers) {
  test(`POSTERN_DNS=${text}`, () =>
    assert.deepEqual(
      parseServers(text).map(({ address, port }) => `${address} ${port}`),
      expected,
    ))
}

test('resolv.conf: servers, search domains, options, comments', () => {
  const setup = parseResolvConf(
    '# c\nnameserver 192.0.2.1 ; c\nnameserver fe80::1%eth0\nsearch a.test b.test.\noptions ndots:2 timeout:3 attempts:9 rotate\n',
  )
  assert.deepEqual(
    setup.servers.map(({ address }) => address),
    ['192.0.2.1', 'fe80::1'],
  )
  assert.deepEqual(
    [setup.search, setup.ndots, setup.timeoutSeconds, setup.attempts],
    [['a.test', 'b.test'], 2, 3, 5],
  )
})

test('resolv.conf without a server means this machine', () => {
  assert.deepEqual(parseResolvConf('').servers, [{ address: '127.0.0.1', port: 53 }])
})

test('hosts: addresses with names and aliases', () => {
  assert.deepEqual(parseHosts('127.0.0.1\tlocalhost\n# x\n::1 ip6 six # c\nnonsense a\n192.0.2.1\n'), [
    { address: '127.0.0.1', names: ['localhost'] },
    { address: '::1', names: ['ip6', 'six'] },
  ])
})
