/** The `world` of a test file: who connects, and what everything that may be asked answers. */
import { parseIp, formatIp } from '../../../base/ip.ts'
import { encodeUtf8, fromBytes } from '../../../base/text.ts'
import type { Account, DnsRecord, ProxyFacts, TlsFacts } from '../../../ports.ts'
import type {
  Stated,
  StatedAnswer,
  StatedFile,
  StatedName,
  TextPattern,
} from '../../../server/offline/stated.ts'
import { usualProxy, usualTls } from '../../../server/client-facts.ts'
import { dnsName } from '../../../server/offline/stated-world.ts'
import { entriesOf, Fields, type Problems, textsOf } from './fields.ts'
import type { Entry, Value } from './value.ts'

const worldNames = [
  'client',
  'interface',
  'hostname',
  'interfaces',
  'time',
  'dns',
  'files',
  'users',
  'groups',
  'lookups',
  'commands',
  'sockets',
  'callouts',
  'random',
  'tls',
  'proxy',
  'authenticated',
  'otherwise',
] as const

/** A clock that every run shares. */
const defaultTime = Date.UTC(2026, 0, 15, 12, 0, 0)

/** @param readFile reads a file that lies beside the test file; undefined: there is none */
export interface WorldSource {
  readonly problems: Problems
  readonly readFile: (name: string) => string | undefined
}

/** Reads worlds that are laid over each other: what a later one states counts. */
export function readWorld(values: readonly Value[], source: WorldSource): Stated {
  const { problems } = source
  const layers = values.map((value) => new Fields(value, 'the world', worldNames, problems)).reverse()
  const latest = <T>(read: (fields: Fields) => T | undefined): T | undefined => {
    for (const fields of layers) {
      const found = read(fields)
      if (found !== undefined) return found
    }
    return undefined
  }
  /** Entries of all layers; of one key the latest. */
  const merged = (name: string): readonly Entry[] => {
    const all = new Map<string, Entry>()
    for (const fields of layers)
      for (const entry of fields.entries(name)) if (!all.has(entry.key)) all.set(entry.key, entry)
    return [...all.values()]
  }
  const client = merged('client')
  const clientFields = fieldsOf(client, 'the client', ['address', 'name', 'port'], problems)
  const at = fieldsOf(merged('interface'), 'the interface', ['address', 'port'], problems)
  const nameValue = clientFields.get('name')
  const address = clientFields.text('address') ?? '192.0.2.1'
  if (parseIp(address) === undefined)
    problems.add(
      clientFields.get('address')?.at ?? { line: 1, column: 1 },
      `"${address}" is not an IP address`,
    )
  const users = latest((fields) => fields.get('users'))
  const otherwise = fieldsOf(
    merged('otherwise'),
    '"otherwise"',
    ['dns', 'files', 'users', 'lookups', 'callouts'],
    problems,
  )
  const interfaceAddress = at.text('address') ?? '192.0.2.25'
  return {
    client: {
      address: plain(address),
      port: clientFields.number('port') ?? 40_000,
      interfaceAddress: plain(interfaceAddress),
      interfacePort: at.number('port') ?? 25,
      name:
        nameValue === undefined ? undefined : nameValue.is === 'nothing' ? null : clientFields.text('name'),
      tls: readTls(
        latest((fields) => fields.get('tls')),
        problems,
      ),
      proxy: readProxy(
        latest((fields) => fields.get('proxy')),
        problems,
      ),
      authenticated: readAuthenticated(
        latest((fields) => fields.get('authenticated')),
        problems,
      ),
    },
    hostname: latest((fields) => fields.text('hostname')) ?? 'mail.example.net',
    interfaces: latest((fields) => fields.texts('interfaces')) ?? [
      '127.0.0.1',
      '::1',
      plain(interfaceAddress),
    ],
    time: readTime(
      latest((fields) => fields.get('time')),
      problems,
    ),
    dns: new Map(merged('dns').map((entry) => [dnsName(entry.key), readName(entry, problems)])),
    files: new Map(merged('files').map((entry) => [entry.key, readFile(entry, source)])),
    users:
      users === undefined
        ? undefined
        : new Map(merged('users').map((entry, index) => [entry.key, readUser(entry, index, problems)])),
    groups: new Map(
      merged('groups').map((entry) => {
        const fields = new Fields(entry.value, 'a group', ['gid', 'members'], problems)
        return [
          entry.key,
          { name: entry.key, gid: fields.number('gid') ?? 100, members: fields.texts('members') ?? [] },
        ]
      }),
    ),
    lookups: layers.flatMap((fields) =>
      fields.entries('lookups').flatMap(({ key: type, value }) =>
        entriesOf(value, `the answers of ${type}`, problems).map((entry) => ({
          type,
          query: pattern(entry.key),
          answer: readAnswer(entry.value, problems),
        })),
      ),
    ),
    commands: merged('commands').map((entry) => ({
      line: pattern(entry.key),
      ...readCommand(entry.value, problems),
    })),
    sockets: merged('sockets').map(({ key, value }) => ({
      to: pattern(key),
      answer:
        value.is === 'nothing'
          ? undefined
          : encodeUtf8(textsOf(value, 'the answer of a socket', problems).join('\n')),
    })),
    callouts: merged('callouts').map(({ key, value }) => ({
      of: pattern(key),
      says: encodeUtf8(value.is === 'text' ? value.text : 'ok'),
    })),
    random: (latest((fields) => fields.texts('random')) ?? [])
      .map(Number)
      .filter((one) => Number.isSafeInteger(one)),
    otherwise: {
      dns: otherwise.oneOf('dns', ['nxdomain']),
      files: otherwise.oneOf('files', ['absent']),
      users: otherwise.oneOf('users', ['absent']),
      lookups: otherwise.oneOf('lookups', ['none']),
      callouts: otherwise.oneOf('callouts', ['ok']),
    },
  }
}

function fieldsOf(
  entries: readonly Entry[],
  what: string,
  names: readonly string[],
  problems: Problems,
): Fields {
  const [first] = entries
  return new Fields({ is: 'map', entries, at: first?.keyAt ?? { line: 1, column: 1 } }, what, names, problems)
}

function plain(address: string): string {
  const parsed = parseIp(address)
  return parsed === undefined ? address : formatIp(parsed)
}

/** `/.../` and `/.../i` are regular expressions; all else is the text itself. */
export function pattern(text: string): TextPattern {
  const match = /^\/(.+)\/(i?)$/s.exec(text)
  if (match === null) return { text: encodeUtf8(text) }
  try {
    return { regex: new RegExp(encodeUtf8(match[1] ?? ''), match[2]) }
  } catch {
    return { text: encodeUtf8(text) }
  }
}

function readTime(value: Value | undefined, problems: Problems): number {
  if (value === undefined || value.is !== 'text') return defaultTime
  const time = /^\d+$/.test(value.text) ? Number(value.text) * 1000 : Date.parse(value.text)
  if (!Number.isNaN(time)) return time
  problems.add(value.at, `"${value.text}" is no time: write 2026-01-15T12:00:00Z`)
  return defaultTime
}

// --------------------------------------------------------------------------------------------------- DNS

const statuses: Readonly<Record<string, StatedName['status']>> = {
  nxdomain: 'nxdomain',
  servfail: 'again',
  timeout: 'again',
  nodata: 'exists',
}

function readName({ key, value }: Entry, problems: Problems): StatedName {
  const nothing = { records: [], again: new Set<string>(), authenticated: false }
  if (value.is === 'text') {
    const status = statuses[value.text.toLowerCase()]
    if (status === undefined)
      problems.add(
        value.at,
        `what ${key} has is nxdomain, servfail, timeout, nodata, or a map such as {A: 192.0.2.1}`,
      )
    return { ...nothing, status: status ?? 'again' }
  }
  const again = new Set<string>()
  const records: DnsRecord[] = []
  let authenticated = false
  for (const { key: type, keyAt, value: said } of entriesOf(value, `what ${key} has`, problems)) {
    if (type === 'dnssec') authenticated = said.is === 'text' && /^(?:true|yes)$/i.test(said.text)
    else if (said.is === 'text' && /^(?:servfail|timeout)$/i.test(said.text)) again.add(type.toUpperCase())
    else if (said.is === 'text' && /^nodata$/i.test(said.text)) continue
    else
      for (const text of textsOf(said, `${type} of ${key}`, problems)) {
        const record = recordOf(type.toUpperCase(), key.toLowerCase(), text)
        if (typeof record === 'string') problems.add(keyAt, record)
        else records.push(record)
      }
  }
  return { status: 'exists', records, again, authenticated }
}

/** A record from its text as zone files have it; a sentence when it is none. */
function recordOf(type: string, name: string, text: string): DnsRecord | string {
  const common = { name, ttl: 3600 }
  const words = text.trim().split(/\s+/)
  const [first = '', second = '', third = '', fourth = ''] = words
  const numbers = words.map(Number)
  switch (type) {
    case 'A':
    case 'AAAA': {
      const parsed = parseIp(text)
      if (parsed === undefined || text.includes(':') !== (type === 'AAAA'))
        return `"${text}" is no ${type} record`
      return { ...common, type, value: formatIp(parsed) }
    }
    case 'PTR':
    case 'CNAME':
    case 'NS':
      return { ...common, type, value: text.replace(/\.$/, '') }
    case 'MX':
      if (!/^\d+$/.test(first) || words.length !== 2)
        return `"${text}" is no MX record: write "10 mail.example.org"`
      return {
        ...common,
        type,
        preference: Number(first),
        exchange: second === '.' ? '' : second.replace(/\.$/, ''),
      }
    case 'TXT':
    case 'SPF':
      return { ...common, type, strings: encodeUtf8(text).match(/[^]{1,255}/g) ?? [''] }
    case 'SRV':
    case 'CSA': {
      if (words.length !== 4) return `"${text}" is no ${type} record: write "0 5 25 host.example.org"`
      const [priority = 0, weight = 0, port = 0] = numbers
      return { ...common, type, priority, weight, port, target: fourth.replace(/\.$/, '') }
    }
    case 'TLSA': {
      const [usage = 0, selector = 0, matching = 0] = numbers
      return { ...common, type, usage, selector, matching, data: Uint8Array.from(Buffer.from(fourth, 'hex')) }
    }
    case 'SOA':
      return {
        ...common,
        type,
        mname: first,
        rname: second,
        serial: Number(third) || 0,
        minimum: Number(words.at(-1)) || 0,
      }
    default:
      return `"${type}" is no type of DNS record that a test can state`
  }
}

// -------------------------------------------------------------------------------- files, users, databases

function readFile({ key, value }: Entry, source: WorldSource): StatedFile {
  const { problems } = source
  const file = { bytes: '', mode: undefined, uid: undefined }
  if (!key.startsWith('/')) problems.add(value.at, `"${key}" is not an absolute path`)
  if (value.is === 'nothing') return { ...file, is: 'absent' }
  if (value.is === 'text') return { ...file, is: 'file', bytes: encodeUtf8(value.text) }
  const fields = new Fields(
    value,
    'a file',
    ['content', 'base64', 'from', 'folder', 'unreadable', 'mode', 'uid'],
    problems,
  )
  const mode = fields.text('mode')
  const more = { mode: mode === undefined ? undefined : Number.parseInt(mode, 8), uid: fields.number('uid') }
  if (fields.yes('folder') === true)
    return { ...file, ...more, is: 'folder', mode: 0o40_000 | (more.mode ?? 0o755) }
  if (fields.yes('unreadable') === true) return { ...file, ...more, is: 'unreadable' }
  const from = fields.text('from')
  const base64 = fields.text('base64')
  const own =
    base64 === undefined ? encodeUtf8(fields.text('content') ?? '') : fromBytes(Buffer.from(base64, 'base64'))
  const content = from === undefined ? own : source.readFile(from)
  if (content === undefined) problems.add(fields.get('from')?.at ?? value.at, `there is no file ${from}`)
  return { ...file, ...more, is: 'file', bytes: content ?? '', mode: 0o100_000 | (more.mode ?? 0o644) }
}

function readUser({ key, value }: Entry, index: number, problems: Problems): Account {
  const fields = new Fields(value, 'a user', ['uid', 'gid', 'home', 'gecos', 'shell'], problems)
  const uid = fields.number('uid') ?? 1000 + index
  return {
    name: key,
    uid,
    gid: fields.number('gid') ?? uid,
    home: fields.text('home') ?? `/home/${key}`,
    gecos: encodeUtf8(fields.text('gecos') ?? ''),
    shell: fields.text('shell') ?? '/bin/sh',
  }
}

function readAnswer(value: Value, problems: Problems): StatedAnswer {
  if (value.is === 'nothing') return { is: 'none' }
  if (value.is === 'text') return { is: 'found', data: encodeUtf8(value.text) }
  if (value.is === 'list')
    return { is: 'found', data: encodeUtf8(textsOf(value, 'an answer', problems).join('\n')) }
  const fields = new Fields(value, 'an answer', ['found', 'defer', 'fail'], problems)
  const defer = fields.text('defer')
  const fail = fields.text('fail')
  if (defer !== undefined) return { is: 'defer', message: encodeUtf8(defer) }
  if (fail !== undefined) return { is: 'failure', message: encodeUtf8(fail) }
  return { is: 'found', data: encodeUtf8(fields.text('found') ?? '') }
}

function readCommand(value: Value, problems: Problems): { code: number; output: string } {
  if (value.is !== 'map')
    return { code: 0, output: encodeUtf8(textsOf(value, 'the output', problems).join('\n')) }
  const fields = new Fields(value, 'a command', ['code', 'output'], problems)
  return { code: fields.number('code') ?? 0, output: encodeUtf8(fields.text('output') ?? '') }
}

// ---------------------------------------------------------------------------------- facts of a connection

const tlsNames = [
  'on_connect',
  'version',
  'cipher',
  'cipher_std',
  'bits',
  'verified',
  'peerdn',
  'sni',
  'ocsp',
  'resumed',
  'certificate',
]

function readTls(value: Value | undefined, problems: Problems): TlsFacts | undefined {
  if (
    value === undefined ||
    value.is === 'nothing' ||
    (value.is === 'text' && /^(?:false|no)$/i.test(value.text))
  )
    return undefined
  const whole = value.is === 'text' && /^(?:true|yes)$/i.test(value.text)
  const fields = new Fields(
    whole ? { is: 'map', entries: [], at: value.at } : value,
    '"tls"',
    tlsNames,
    problems,
  )
  const certificate = fields.text('certificate')
  const usual = usualTls({})
  const cipher = fields.text('cipher')
  return {
    onConnect: fields.yes('on_connect') ?? usual.onConnect,
    version: fields.text('version') ?? usual.version,
    cipher: cipher === undefined ? usual.cipher : encodeUtf8(cipher),
    cipherStd: fields.text('cipher_std') ?? usual.cipherStd,
    bits: fields.number('bits') ?? usual.bits,
    certificateVerified: fields.yes('verified') ?? usual.certificateVerified,
    peerDn: encodeUtf8(fields.text('peerdn') ?? ''),
    sni: encodeUtf8(fields.text('sni') ?? ''),
    ocsp: fields.number('ocsp') ?? usual.ocsp,
    resumed: fields.yes('resumed') ?? usual.resumed,
    ...(certificate === undefined ? {} : { peerCertificate: derOf(certificate) }),
  }
}

function derOf(pem: string): Uint8Array {
  return Uint8Array.from(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64'))
}

const proxyNames = [
  'local_address',
  'local_port',
  'external_address',
  'external_port',
  'failed',
  'health_check',
  'tlvs',
]

function readProxy(value: Value | undefined, problems: Problems): ProxyFacts | undefined {
  if (value === undefined || value.is === 'nothing') return undefined
  const fields = new Fields(value, '"proxy"', proxyNames, problems)
  return usualProxy({
    failed: fields.yes('failed') ?? false,
    healthCheck: fields.yes('health_check') ?? false,
    localAddress: fields.text('local_address') ?? '',
    localPort: fields.number('local_port') ?? 0,
    externalAddress: fields.text('external_address') ?? '',
    externalPort: fields.number('external_port') ?? 0,
    tlvs: new Map(
      fields
        .entries('tlvs')
        .map(({ key, value: tlv }) => [Number(key), encodeUtf8(tlv.is === 'text' ? tlv.text : '')]),
    ),
  })
}

function readAuthenticated(value: Value | undefined, problems: Problems): Stated['client']['authenticated'] {
  if (value === undefined || value.is === 'nothing') return undefined
  if (value.is === 'text') return { id: encodeUtf8(value.text), by: 'plain', sender: undefined }
  const fields = new Fields(value, '"authenticated"', ['id', 'by', 'sender'], problems)
  return {
    id: encodeUtf8(fields.text('id') ?? ''),
    by: fields.text('by') ?? 'plain',
    sender: fields.text('sender'),
  }
}
