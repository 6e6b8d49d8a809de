import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeAddresses, type ListenRequest, listenAddresses } from './listen-addresses.ts'

const base: ListenRequest = {
  interfaces: undefined,
  ports: ['smtp'],
  tlsOnConnectPorts: [],
  disableIpv6: false,
}

// The texts are what Exim 4.96 wrote into its start-up line, but for -oX.
const cases: readonly { says: string; request: Partial<ListenRequest>; text: string }[] = [
  { says: 'without settings, port 25 everywhere', request: {}, text: 'for SMTP on port 25 (IPv6 and IPv4)' },
  {
    says: 'several ports',
    request: { ports: ['2626', '2628'] },
    text: 'for SMTP on port 2626 (IPv6 and IPv4) port 2628 (IPv6 and IPv4)',
  },
  {
    says: 'addresses with and without ports, and TLS on connect',
    request: {
      interfaces: ['127.0.0.1', '127.0.0.2.2627', '::1'],
      ports: ['2626', '2628'],
      tlsOnConnectPorts: ['2628'],
    },
    text: 'for SMTP on [127.0.0.1]:2626 [127.0.0.2]:2627 [::1]:2626 and for SMTPS on [127.0.0.1]:2628 [::1]:2628',
  },
  {
    says: 'several ports of one address stand together',
    request: {
      interfaces: ['127.0.0.1.25', '192.0.2.1', '127.0.0.1.26'],
      ports: ['587', '465', '25'],
      tlsOnConnectPorts: ['465'],
    },
    text: 'for SMTP on [127.0.0.1]:{25,26} [192.0.2.1]:{587,25} and for SMTPS on [192.0.2.1]:465',
  },
  { says: 'disable_ipv6', request: { disableIpv6: true }, text: 'for SMTP on port 25 (IPv4)' },
  { says: '::0 is ::', request: { interfaces: ['::0'] }, text: 'for SMTP on port 25 (IPv6)' },
  {
    says: '-oX with a port',
    request: { interfaces: ['127.0.0.1'], override: '1225' },
    text: 'for SMTP on [127.0.0.1]:1225',
  },
  {
    says: '-oX with address and port',
    request: { interfaces: ['127.0.0.1'], override: '192.168.34.5.1125' },
    text: 'for SMTP on [192.168.34.5]:1125',
  },
  {
    says: '-oX with brackets and another separator',
    request: { override: '<; [192.0.2.1]:1234 ; [2001:db8::1]:1234' },
    text: 'for SMTP on [192.0.2.1]:1234 [2001:db8::1]:1234',
  },
  {
    says: 'names of ports',
    request: { ports: ['submission'] },
    text: 'for SMTP on port 587 (IPv6 and IPv4)',
  },
]
for (const { says, request, text } of cases) {
  test(`listening: ${says}`, () => {
    const result = listenAddresses({ ...base, ...request }, () => undefined)
    assert.equal(result.is, 'addresses', JSON.stringify(result))
    if (result.is === 'addresses') assert.equal(describeAddresses(result.addresses), `listening ${text}`)
  })
}

test('a port that does not exist is told', () => {
  const result = listenAddresses({ ...base, ports: ['nosuch'] }, () => undefined)
  assert.deepEqual(result, { is: 'wrong', message: 'TCP port "nosuch" not found' })
})
