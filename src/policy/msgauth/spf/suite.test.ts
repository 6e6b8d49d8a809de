/** The public test suite of RFC 7208, all of it, with the explanations it expects. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { repository } from '../../../../test/support/server.ts'
import { readYaml, type Yaml } from '../../../../test/support/yaml.ts'
import { parseIp } from '../../../base/ip.ts'
import type { DnsAnswer, DnsRecord, DnsType } from '../../../ports.ts'
import { checkHost } from './check-host.ts'
import type { AskDns } from './result.ts'

const file = join(repository, '..', 'shared', 'reference', 'spf', 'rfc7208-tests.yml')

if (!existsSync(file)) test('RFC 7208 test suite', { skip: 'the suite is not here: ../shared/reference/spf' })
else {
  let cases = 0
  for (const document of readYaml(readFileSync(file, 'latin1'))) {
    const { description, tests, zonedata } = mapOf(document)
    const zone = new Map(Object.entries(mapOf(zonedata)).map(([name, data]) => [name.toLowerCase(), data]))
    for (const [name, row] of Object.entries(mapOf(tests))) {
      cases++
      test(`RFC 7208 suite: ${textOf(description)}: ${name}`, () => check(mapOf(row), dnsOf(zone)))
    }
  }
  test('RFC 7208 suite: all 203 cases were found', () => assert.equal(cases, 203))
}

async function check(row: Readonly<Record<string, Yaml>>, dns: AskDns): Promise<void> {
  const [host, helo, mailfrom] = [textOf(row.host), textOf(row.helo), textOf(row.mailfrom)]
  const ip = parseIp(host)
  assert.ok(ip, host)
  const sender = mailfrom === '' ? `postmaster@${helo}` : mailfrom
  const domain = sender.slice(sender.lastIndexOf('@') + 1)
  const result = await checkHost({ ip, domain, sender, helo, receiver: 'receiver.example', now: 0 }, dns)
  const wanted = typeof row.result === 'string' ? [row.result] : listOf(row.result).map(textOf)
  assert.ok(wanted.includes(result.result), `${JSON.stringify(result)} is not ${wanted.join(' or ')}`)
  if (row.explanation === undefined) return
  const explanation = result.result === 'fail' ? (result.explanation ?? 'DEFAULT') : ''
  assert.equal(explanation, textOf(row.explanation))
}

/**
 * The zone data's remarks: SPF without TXT implies a TXT copy; TIMEOUT is a temporary failure for what is not given.
 * Aliases are followed, as a resolver does; a loop of them is an error.
 */
function dnsOf(zone: ReadonlyMap<string, Yaml>): AskDns {
  const ask = (name: string, type: DnsType, aliases: number): DnsAnswer => {
    const data = zone.get(name.toLowerCase().replace(/\.$/, ''))
    const answer = { records: [], authenticated: false, canonicalName: name }
    if (data === undefined) return { ...answer, status: 'nxdomain' }
    const alias = listOf(data).find((entry) => typeof entry === 'object' && 'CNAME' in entry)
    if (alias !== undefined) {
      if (aliases === 10) return { ...answer, status: 'again' }
      return ask(textOf(mapOf(alias).CNAME), type, aliases + 1)
    }
    const records = answersOf(name, type, listOf(data))
    if (records === 'again') return { ...answer, status: 'again' }
    return { ...answer, records, status: records.length > 0 ? 'found' : 'nodata' }
  }
  return (name, type) => Promise.resolve(ask(name, type, 0))
}

function answersOf(name: string, type: DnsType, data: readonly Yaml[]): DnsRecord[] | 'again' {
  const rows = data.flatMap((entry) => (typeof entry === 'string' ? [] : Object.entries(mapOf(entry))))
  const copied = type === 'TXT' && !rows.some(([kind]) => kind === 'TXT') ? 'SPF' : type
  const records = rows
    .filter(([kind, value]) => kind === copied && value !== 'NONE')
    .map(([, value]) => recordOf(name, type, value))
  return records.length === 0 && data.includes('TIMEOUT') ? 'again' : records
}

function recordOf(name: string, type: DnsType, value: Yaml): DnsRecord {
  const head = { name, ttl: 60 }
  switch (type) {
    case 'TXT':
      return { ...head, type, strings: typeof value === 'string' ? [value] : listOf(value).map(textOf) }
    case 'MX': {
      const [preference, exchange] = listOf(value)
      return { ...head, type, preference: Number(preference), exchange: textOf(exchange) }
    }
    case 'A':
    case 'AAAA':
    case 'PTR':
      return { ...head, type, value: textOf(value) }
    default:
      throw new Error(`the suite asks for no ${type}`)
  }
}

function mapOf(value: Yaml | undefined): Readonly<Record<string, Yaml>> {
  assert.ok(typeof value === 'object' && !Array.isArray(value), 'a map')
  // Lists are ruled out above; the type of readonly lists hides it from the compiler.
  return value as Readonly<Record<string, Yaml>>
}
function listOf(value: Yaml | undefined): readonly Yaml[] {
  assert.ok(Array.isArray(value), 'a list')
  return value
}
function textOf(value: Yaml | undefined): string {
  assert.ok(typeof value === 'string', 'a text')
  return value
}
