import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure } from '../../base/outcome.ts'
import { isTainted, taint, textOf } from '../../base/text.ts'
import type { DnsAnswer, DnsRecord } from '../../ports.ts'
import { expansionBench, type BenchOptions } from '../../../test/support/expansion-context.ts'
import { parseLookupType } from './parse-type.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-lookups-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, 'latin1')
  return join(folder, name)
}

file(
  'plain',
  '# comment\n*.c.d: wild\n*: default\n*@y: at y\n"q k": quoted\nmulti: a\n  b\n# between\n\n\tc\n' +
    '"b:c": colon\n.c : dot c\nnone without colon\nfail: :fail: x\n*.b.c : wild b\nmulti: second\nUpper : u\n',
)
file('ip', '10.0.0.0/8: ten\n"fe80::/10": link local\n192.0.2.1 one\n*: all\n')
file('short', '*.short: x\nnext:\n  line\n')
file('wild', '*fish: ends\n^\\N^\\d+x$\\N: digits\nplain: p\n^(?-i)ABC\\$: upper\n*: rest\n')
file('nwild', '^\\d+y$: digits\nfoo: f\n')
file('data.json', '{"a":{"b":[10,"x",{"c":true}]},"s":"t\u00fc"}')

/** A constant database by the description of its format. */
function makeCdb(entries: readonly (readonly [string, string])[]): Buffer {
  const hash = (key: string) => [...Buffer.from(key)].reduce((h, c) => (((h << 5) + h) ^ c) >>> 0, 5381)
  const records: Buffer[] = []
  const tables: { hash: number; at: number }[][] = Array.from({ length: 256 }, () => [])
  let at = 2048
  for (const [key, value] of entries) {
    const record = Buffer.alloc(8)
    record.writeUInt32LE(key.length, 0)
    record.writeUInt32LE(value.length, 4)
    records.push(record, Buffer.from(key), Buffer.from(value))
    tables[hash(key) & 255]?.push({ hash: hash(key), at })
    at += 8 + key.length + value.length
  }
  const head = Buffer.alloc(2048)
  const slots: Buffer[] = []
  tables.forEach((list, i) => {
    const size = list.length * 2
    head.writeUInt32LE(at, i * 8)
    head.writeUInt32LE(size, i * 8 + 4)
    const table = Buffer.alloc(size * 8)
    for (const entry of list) {
      let slot = (entry.hash >>> 8) % size
      while (table.readUInt32LE(slot * 8 + 4) !== 0) slot = (slot + 1) % size
      table.writeUInt32LE(entry.hash, slot * 8)
      table.writeUInt32LE(entry.at, slot * 8 + 4)
    }
    slots.push(table)
    at += table.length
  })
  return Buffer.concat([head, ...records, ...slots])
}
writeFileSync(
  join(folder, 'data.cdb'),
  makeCdb([
    ['root', 'admin@example.org'],
    ['a', '1'],
    ['*', 'star'],
  ]),
)

async function look(text: string, options: BenchOptions = {}): Promise<string> {
  const { expander, context } = expansionBench(options)
  const value = await expander.expandText(text.replaceAll('DIR', folder), context)
  return isFailure(value) ? `${value.kind}: ${value.message.replaceAll(folder, 'DIR')}` : textOf(value)
}

const rows: readonly (readonly [string, string, string])[] = [
  ['a key', '${lookup{none}lsearch{DIR/plain}}', 'without colon'],
  ['keys without case', '${lookup{UPPER}lsearch{DIR/plain}}', 'u'],
  ['lines that go on, comments between', '${lookup{multi}lsearch{DIR/plain}}', 'a b c'],
  ['a value that begins on the next line', '[${lookup{next}lsearch{DIR/short}}]', '[ line]'],
  ['a quoted key', '${lookup{q k}lsearch{DIR/plain}}', 'quoted'],
  ['a quoted key with a colon', '${lookup{b:c}lsearch{DIR/plain}}', 'colon'],
  ['data that begins with a colon', '${lookup{fail}lsearch{DIR/plain}}', ':fail: x'],
  ['a key that is not there', '${lookup{zz}lsearch{DIR/plain}{y}{n}}', 'n'],
  ['an empty key', '${lookup{}lsearch{DIR/plain}{y}{n}}', 'n'],
  ['an empty key has the default too, as in Exim', '${lookup{}lsearch*{DIR/plain}}', 'default'],
  ['a default', '${lookup{zz}lsearch*{DIR/plain}}', 'default'],
  ['a default by domain', '${lookup{zz@y}lsearch*@{DIR/plain}}', 'at y'],
  ['the last default', '${lookup{zz@z}lsearch*@{DIR/plain}}', 'default'],
  ['partial matching', '${lookup{a.b.c.d}partial-lsearch{DIR/plain}{$value:$1:$2}}', 'wild:a.b:c.d'],
  ['partial matching of the whole', '${lookup{c.d}partial-lsearch{DIR/plain}{$value:$1:$2}}', 'wild::c.d'],
  [
    'partial matching with another affix',
    '${lookup{a.b.c}partial1(.)lsearch{DIR/plain}{$value:$1:$2}}',
    'dot c:a.b:c',
  ],
  ['partial matching down to nothing', '${lookup{x.y}partial0-lsearch{DIR/plain}}', 'default'],
  [
    'the whole key is tried with the affix, however short',
    '${lookup{short}partial3-lsearch{DIR/short}}',
    'x',
  ],
  ['partial matching needs two parts', '${lookup{x.d}partial-lsearch{DIR/plain}{y}{n}}', 'n'],
  ['ret=key', '${lookup{multi}lsearch,ret=key{DIR/plain}}', 'multi'],
  ['ret=full', '${lookup{Upper}lsearch,ret=full{DIR/plain}}', 'Upper : u'],
  ['ret=full of lines that go on', '${lookup{multi}lsearch,ret=full{DIR/plain}}', 'multi: a b c'],
  ['ret=full of a quoted key', '${lookup{q k}lsearch,ret=full{DIR/plain}}', 'q k: quoted'],
  ['ret=full without colon', '${lookup{none}lsearch,ret=full{DIR/plain}}', 'none without colon'],
  ['$1 of a default', '${lookup{zz}lsearch*{DIR/plain}{$value:$1:$2}}', 'default:zz:'],
  ['$1 of a default by domain', '${lookup{zz@y}lsearch*@{DIR/plain}{$value:$1:$2}}', 'at y:zz:'],
  ['$1 of a default after a partial key', '${lookup{z.z}partial-lsearch*{DIR/plain}{$1:$2}}', 'z.z:'],
  ['a key itself leaves $1', '${if match{ab}{(a)}{${lookup{q k}lsearch*{DIR/plain}{$1}}}}', 'a'],
  [
    'captures of a domain found by a partial key',
    '${if match_domain{A.b.c.d}{partial-lsearch;DIR/plain}{$0:$1:$2}}',
    'a.b.c.d:a.b:c.d',
  ],
  [
    'a file that is not there',
    '${lookup{a}lsearch{DIR/nothing}}',
    'failure: failed to open DIR/nothing for linear search: No such file or directory',
  ],
  ['a folder as file', '${lookup{a}lsearch{DIR}}', 'failure: DIR is not a regular file (lsearch lookup)'],
  ['a network', '${lookup{10.1.2.3}iplsearch{DIR/ip}}', 'ten'],
  ['an IPv6 network', '${lookup{fe80::1}iplsearch{DIR/ip}}', 'link local'],
  ['an address', '${lookup{192.0.2.1}iplsearch{DIR/ip}}', 'one'],
  ['an IPv4 address inside an IPv6 one', '${lookup{::ffff:10.1.1.1}iplsearch{DIR/ip}}', 'ten'],
  ['no network and a default', '${lookup{192.0.2.2}iplsearch*{DIR/ip}}', 'all'],
  ['patterns: the end', '${lookup{swordFish}wildlsearch{DIR/wild}}', 'ends'],
  ['patterns: a regular expression', '${lookup{12X}wildlsearch{DIR/wild}}', 'digits'],
  ['patterns: the first counts', '${lookup{plain}wildlsearch{DIR/wild}}', 'p'],
  ['patterns: the last resort', '${lookup{other}wildlsearch{DIR/wild}}', 'rest'],
  ['patterns that are not expanded', '${lookup{12y}nwildlsearch{DIR/nwild}}', 'digits'],
  ['plain keys among patterns', '${lookup{foo}nwildlsearch{DIR/nwild}}', 'f'],
  ['an entry of a folder', '${lookup{plain}dsearch{DIR}}', 'plain'],
  ['an entry of a folder, whole path', '${lookup{plain}dsearch,ret=full{DIR}{yes}}', 'yes'],
  ['an entry of a folder, wrong kind', '${lookup{plain}dsearch,filter=dir{DIR}{y}{n}}', 'n'],
  [
    'no way up out of a folder',
    '${lookup{../x}dsearch{DIR}}',
    'defer: lookup of "../x" gave DEFER: key for dsearch lookup contains a slash: ../x',
  ],
  ['no way up by path either', '${lookup{../etc/passwd}dsearch,key=path{DIR}{y}{n}}', 'n'],
  ['a constant database', '${lookup{root}cdb{DIR/data.cdb}}', 'admin@example.org'],
  ['a constant database, no key', '${lookup{zz}cdb{DIR/data.cdb}{y}{n}}', 'n'],
  ['a constant database, default', '${lookup{zz}cdb*{DIR/data.cdb}}', 'star'],
  [
    'a file that is no constant database',
    '${lookup{a}cdb{DIR/plain}}',
    'failure: cdb: DIR/plain is too short to be a cdb file',
  ],
  ['JSON: a number', '${lookup{a:b:0}json{DIR/data.json}}', '10'],
  ['JSON: a string', '${lookup{a:b:1}json{DIR/data.json}}', 'x'],
  ['JSON: an object', '${lookup{a:b:2}json{DIR/data.json}}', '{"c":true}'],
  ['JSON: nothing', '${lookup{a:x}json{DIR/data.json}{y}{n}}', 'n'],
  ['JSON: no way to what objects inherit', '${lookup{constructor}json{DIR/data.json}{y}{n}}', 'n'],
  ['a user', '${lookup passwd{root}}', '*:0:0:root:/root:/bin/bash'],
  ['no user', '${lookup passwd{nobodyhere}{y}{n}}', 'n'],
]
for (const [says, text, gives] of rows)
  test(`lookup: ${says}`, async () => assert.equal(await look(text), gives))

test('lookup: a file that changes is read again', async () => {
  const { expander, context } = expansionBench()
  const path = file('changing', 'a: 1\n')
  const ask = async () => {
    const value = await expander.expandText(`\${lookup{a}lsearch{${path}}}`, context)
    return isFailure(value) ? value.message : textOf(value)
  }
  assert.equal(await ask(), '1')
  file('changing', 'a: 22\n')
  assert.equal(await ask(), '22')
  file('changing', 'a: 33\n')
  utimesSync(path, 1000, 1000)
  assert.equal(await ask(), '33')
})

test('lookup: a large file is indexed once and without holding others up', async () => {
  const path = file('large', Array.from({ length: 200_000 }, (_, i) => `user${i}: value ${i}\n`).join(''))
  const { expander, context } = expansionBench()
  const ask = async (key: string) => {
    const value = await expander.expandText(`\${lookup{${key}}lsearch{${path}}}`, context)
    return isFailure(value) ? value.message : textOf(value)
  }
  assert.equal(await ask('user199999'), 'value 199999')
  // Time of the processor: others use this machine too.
  const start = process.cpuUsage()
  for (let i = 0; i < 100; i++) assert.equal(await ask(`user${i * 7}`), `value ${i * 7}`)
  assert.ok(process.cpuUsage(start).user / 1000 < 500)
})

// ---------------------------------------------------------------------------------------------- dnsdb

const zone: Readonly<Record<string, readonly DnsRecord[] | 'again'>> = {
  'A one.example': [
    { type: 'A', name: 'one.example', ttl: 60, value: '192.0.2.1' },
    { type: 'A', name: 'one.example', ttl: 60, value: '192.0.2.2' },
  ],
  'AAAA one.example': [{ type: 'AAAA', name: 'one.example', ttl: 60, value: '2001:db8::1' }],
  'MX one.example': [
    { type: 'MX', name: 'one.example', ttl: 60, preference: 10, exchange: 'mx.one.example' },
  ],
  'TXT one.example': [
    { type: 'TXT', name: 'one.example', ttl: 60, strings: ['v=spf1 ', '-all'] },
    { type: 'TXT', name: 'one.example', ttl: 60, strings: ['other'] },
  ],
  'PTR 1.2.0.192.in-addr.arpa': [{ type: 'PTR', name: 'x', ttl: 60, value: 'one.example' }],
  'SRV _x._tcp.one.example': [
    { type: 'SRV', name: 'x', ttl: 60, priority: 1, weight: 2, port: 3, target: 'one.example' },
  ],
  'NS example': [{ type: 'NS', name: 'example', ttl: 60, value: 'ns.example' }],
  'SOA example': [
    {
      type: 'SOA',
      name: 'example',
      ttl: 60,
      mname: 'ns.example',
      rname: 'root.example',
      serial: 7,
      minimum: 5,
    },
  ],
  'CNAME alias.example': [{ type: 'CNAME', name: 'alias.example', ttl: 60, value: 'one.example' }],
  'TLSA _25._tcp.one.example': [
    {
      type: 'TLSA',
      name: 'x',
      ttl: 60,
      usage: 3,
      selector: 1,
      matching: 1,
      data: Buffer.from('abcdef', 'hex'),
    },
  ],
  'SRV _client._smtp.one.example': [
    { type: 'SRV', name: 'x', ttl: 60, priority: 1, weight: 2, port: 1, target: 'one.example' },
  ],
  'A broken.example': 'again',
}
const dns: BenchOptions = {
  ports: {
    dns(name, type): Promise<DnsAnswer> {
      const records = zone[`${type} ${name}`]
      const found = Array.isArray(records) ? records : []
      return Promise.resolve({
        status: records === 'again' ? 'again' : found.length > 0 ? 'found' : 'nxdomain',
        records: found,
        authenticated: false,
        canonicalName: name,
      })
    },
  },
}
const queries: readonly (readonly [string, string])[] = [
  ['a=one.example', '192.0.2.1\n192.0.2.2'],
  ['>: a=one.example', '192.0.2.1:192.0.2.2'],
  ['>; a+=one.example', '2001:db8::1;192.0.2.1;192.0.2.2'],
  ['aaaa=one.example', '2001:db8::1'],
  ['cname=alias.example', 'one.example'],
  ['ns=example', 'ns.example'],
  ['tlsa=_25._tcp.one.example', '3 1 1 abcdef'],
  ['csa=one.example', 'Y one.example'],
  ['retry_2,retrans_1s,dnssec_never,a=one.example', '192.0.2.1\n192.0.2.2'],
  ['mx=one.example', '10 mx.one.example'],
  [
    'retrans_x,a=one.example',
    'defer: lookup of "retrans_x,a=one.example" gave DEFER: unsupported dnsdb timeout value',
  ],
  [
    'retry_x,a=one.example',
    'defer: lookup of "retry_x,a=one.example" gave DEFER: unsupported dnsdb retry count',
  ],
  [
    'tries_2,a=one.example',
    'defer: lookup of "tries_2,a=one.example" gave DEFER: unsupported DNS record type',
  ],
  ['mxh=one.example', 'mx.one.example'],
  ['>:,, mx=one.example', '10,mx.one.example'],
  ['one.example', 'v=spf1 \nother'],
  ['>:; txt=one.example', 'v=spf1 -all:other'],
  ['spf=one.example', 'v=spf1 -all'],
  ['ptr=192.0.2.1', 'one.example'],
  ['srv=_x._tcp.one.example', '1 2 3 one.example'],
  ['zns=deep.one.example', 'ns.example'],
  ['soa=deep.one.example', 'ns.example'],
  ['a=one.example:nothing.example', '192.0.2.1\n192.0.2.2'],
  ['a=nothing.example', ''],
  ['a=one.example:broken.example', '192.0.2.1\n192.0.2.2'],
  ['defer_never,a=broken.example', ''],
  ['a=broken.example', 'defer: lookup of "a=broken.example" gave DEFER: DNS lookup deferred'],
  [
    'defer_strict,a=one.example:broken.example',
    'defer: lookup of "defer_strict,a=one.example:broken.example" gave DEFER: DNS lookup of broken.example deferred',
  ],
  [
    'dnssec_strict,a=one.example',
    'defer: lookup of "dnssec_strict,a=one.example" gave DEFER: DNS lookup deferred',
  ],
  ['foo=a.b', 'defer: lookup of "foo=a.b" gave DEFER: unsupported DNS record type'],
]
for (const [query, gives] of queries) {
  test(`dnsdb: ${query}`, async () => assert.equal(await look(`\${lookup dnsdb{${query}}}`, dns), gives))
}

test('dnsdb: retrans and retry reach the resolver, within bounds', async () => {
  const asked: unknown[] = []
  const answer: DnsAnswer = { status: 'nxdomain', records: [], authenticated: false, canonicalName: '' }
  const ports: BenchOptions['ports'] = {
    dns(_name, _type, ask) {
      asked.push(ask)
      return Promise.resolve(answer)
    },
  }
  for (const modifiers of ['retrans_3s,retry_2,', 'retrans_9h, retry_99, dnssec_never,', ''])
    await look(`\${lookup dnsdb{${modifiers}a=x.example}}`, { ports })
  assert.deepEqual(asked, [
    { dnssec: true, retransSeconds: 3, retry: 2 },
    { dnssec: false, retransSeconds: 60, retry: 10 },
    { dnssec: true, retransSeconds: undefined, retry: undefined },
  ])
})

test('the parts of a key from outside are from outside', async () => {
  for (const lookup of ['partial-lsearch', 'lsearch*', 'lsearch*@']) {
    const { expander, context } = expansionBench()
    const from = { ...context, bound: new Map([['value', taint('a.b.c.d', 'dns')]]) }
    const value = await expander.expandText(`\${lookup{$value}${lookup}{${folder}/plain}{$1}}`, from)
    assert.ok(!isFailure(value) && textOf(value) !== '' && isTainted(value), lookup)
  }
})

test('lookup types are read with partial, star and options', () => {
  assert.deepEqual(parseLookupType('partial3(x)-lsearch*@,ret=full'), {
    name: 'lsearch',
    style: 'single',
    partial: { least: 3, affix: 'x' },
    star: '*@',
    options: 'ret=full',
    works: true,
  })
  assert.deepEqual(parseLookupType('partial-passwd'), {
    error: '"partial" is not permitted for lookup type "passwd"',
  })
  assert.deepEqual(parseLookupType('nosuch'), { error: 'unknown lookup type "nosuch"' })
})
