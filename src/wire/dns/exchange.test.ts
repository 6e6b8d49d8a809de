import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeTcp, exchangeUdp } from './exchange.ts'

test('a name server to which no datagram can be addressed is unreachable, and nothing is thrown', async () => {
  // Refused by the kernel when the socket is connected, as every address is on a host without network.
  const server = { address: '255.255.255.255', port: 53 }
  const query = { id: 1, name: 'a.example', type: 'A', edns: false, dnssecOk: false } as const
  for (const exchange of [exchangeUdp, exchangeTcp])
    assert.equal(await exchange(query, server, 20_000), 'unreachable')
})
