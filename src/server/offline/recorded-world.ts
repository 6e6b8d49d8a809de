/**
 * The real world, with each answer written down in the form in which a test file states it: what is played with this can
 * be played again with nothing around it.
 */
import { decodeUtf8, textOf, type ByteString } from '../../base/text.ts'
import type { Callout } from '../../flow/callout-types.ts'
import type { Doors } from '../../language/expand/doors/doors.ts'
import type { Account, DnsAnswer, DnsRecord, FileStat, Ports } from '../../ports.ts'
import { dnsName } from './stated-world.ts'
import { lookupQuestion, pamLine, type World } from './world.ts'

export interface RecordedWorld extends World {
  /** What a test file has under `world`. */
  stated(): Readonly<Record<string, unknown>>
}

export interface RealWorld {
  readonly ports: Ports
  readonly doors: Pick<Doors, 'runCommand' | 'askSocket' | 'askPam'>
  /** Left out: callouts are not made, and count as if the address had been accepted. */
  readonly callout?: Callout | undefined
  readonly hostname: string
  readonly interfaces: readonly string[]
  /** Milliseconds since 1970: the session takes place then, however long it lasts. */
  readonly time: number
  readonly client: { readonly address: string; readonly port: number }
}

interface NoteOfName {
  readonly types: Map<string, string[]>
  readonly again: Set<string>
  missing: boolean
  dnssec: boolean
}

/** Longest file that is written down. */
const largestBytes = 1024 * 1024

export function createRecordedWorld(real: RealWorld): RecordedWorld {
  const { ports } = real
  const names = new Map<string, NoteOfName>()
  const files: Record<string, unknown> = {}
  const users: Record<string, unknown> = {}
  const groups: Record<string, unknown> = {}
  const lookups: Record<string, Record<string, unknown>> = {}
  const commands: Record<string, unknown> = {}
  const sockets: Record<string, unknown> = {}
  const callouts: Record<string, string> = {}
  const random: number[] = []
  let clientName: string | null | undefined

  const noteName = (name: string): NoteOfName => {
    const key = dnsName(name)
    let note = names.get(key)
    if (note === undefined)
      names.set(key, (note = { types: new Map(), again: new Set(), missing: false, dnssec: false }))
    return note
  }
  const noteAnswer = (name: string, type: string, answer: DnsAnswer): void => {
    const note = noteName(name)
    const canonical = dnsName(answer.canonicalName)
    if (answer.status === 'again') return void note.again.add(type)
    if (canonical !== '' && canonical !== dnsName(name) && answer.status === 'found') {
      note.types.set('CNAME', [canonical])
      return noteAnswer(canonical, type, answer)
    }
    if (answer.status === 'nxdomain') note.missing = true
    if (answer.status === 'found') note.types.set(type, answer.records.map(recordText))
    if (answer.status === 'nodata') note.types.set(type, [])
    if (answer.authenticated) note.dnssec = true
  }
  const noteUser = (account: Account | undefined): Account | undefined => {
    if (account !== undefined)
      users[account.name] = {
        uid: account.uid,
        gid: account.gid,
        home: account.home,
        ...(account.gecos === '' ? {} : { gecos: decodeUtf8(account.gecos) }),
      }
    return account
  }
  const noteGroup = (group: ReturnType<Ports['accounts']['groupByGid']>): typeof group => {
    if (group !== undefined) groups[group.name] = { gid: group.gid, members: group.members }
    return group
  }
  const noteStat = (path: string, stat: FileStat, bytes: ByteString | undefined): void => {
    const before = files[path]
    if (bytes === undefined && before !== undefined && before !== null) return
    const facts = {
      ...(stat.uid === 0 ? {} : { uid: stat.uid }),
      ...((stat.mode & 0o7777) === (stat.kind === 'directory' ? 0o755 : 0o644)
        ? {}
        : { mode: (stat.mode & 0o7777).toString(8) }),
    }
    if (stat.kind === 'directory') files[path] = { folder: true, ...facts }
    else {
      const content = contentOf(bytes ?? '')
      files[path] =
        Object.keys(facts).length === 0 && typeof content === 'string'
          ? content
          : { ...contentField(content), ...facts }
    }
  }
  const world: World = {
    hostname: real.hostname,
    interfaces: real.interfaces,
    now: () => real.time,
    random(limit) {
      const drawn = ports.random(limit)
      random.push(drawn)
      return drawn
    },
    async dns(name, type, how) {
      const answer = await ports.dns(name, type, how)
      noteAnswer(name, type, answer)
      return answer
    },
    async hostAddresses(name, how) {
      const found = await ports.hostAddresses(name, how)
      const note = noteName(name)
      if (found.is === 'again') note.again.add('A')
      else if (found.is === 'none') {
        if (note.types.size === 0) note.missing = true
      } else {
        for (const type of ['A', 'AAAA'] as const) {
          const those = found.addresses.filter((address) => address.includes(':') === (type === 'AAAA'))
          if (those.length > 0 || !note.types.has(type)) note.types.set(type, those)
        }
        if (found.dnssec) note.dnssec = true
      }
      return found
    },
    async lookUpHostName(connection, context) {
      await ports.lookUpHostName(connection, context)
      if (connection.hostLookup === 'found') clientName = decodeUtf8(connection.hostName ?? '')
      else if (connection.hostLookup === 'failed') clientName = null
      else if (connection.hostLookup === 'deferred') noteName(real.client.address).again.add('PTR')
    },
    async lookup(request, context) {
      const result = await ports.lookup(request, context)
      ;(lookups[request.type] ??= {})[decodeUtf8(lookupQuestion(request))] =
        result.is === 'found'
          ? decodeUtf8(textOf(result.data))
          : result.is === 'none'
            ? null
            : { [result.is === 'defer' ? 'defer' : 'fail']: decodeUtf8(result.message) }
      return result
    },
    accounts: {
      byName: (name) => noteUser(ports.accounts.byName(name)),
      byUid: (uid) => noteUser(ports.accounts.byUid(uid)),
      groupByName: (name) => noteGroup(ports.accounts.groupByName(name)),
      groupByGid: (gid) => noteGroup(ports.accounts.groupByGid(gid)),
    },
    files: {
      space: (path) => ports.files.space(path),
      read(path, limit) {
        const found = ports.files.read(path, limit)
        if (!('error' in found)) {
          const stat = found.stat ?? ports.files.stat(path)
          if (!('error' in stat)) noteStat(path, stat, found.bytes.slice(0, largestBytes))
        } else noteTrouble(path, found.code)
        return found
      },
      stat(path) {
        const found = ports.files.stat(path)
        if ('error' in found) noteTrouble(path, found.code)
        else noteStat(path, found, undefined)
        return found
      },
      list(path) {
        const found = ports.files.list(path)
        if ('error' in found) {
          noteTrouble(path, found.code)
          return found
        }
        files[path] ??= { folder: true }
        for (const name of found) files[`${path.replace(/\/$/, '')}/${name}`] ??= ''
        return found
      },
    },
    async runCommand(request) {
      const result = await real.doors.runCommand(request)
      const line = decodeUtf8([request.program, ...request.argv].join(' '))
      if (result.is === 'ended')
        commands[line] =
          result.code === 0
            ? decodeUtf8(result.output)
            : { code: result.code, output: decodeUtf8(result.output) }
      return result
    },
    async askPam(request) {
      const result = await real.doors.askPam(request)
      commands[decodeUtf8(pamLine(request.user))] = result.is === 'failed' ? result.message : result.is
      return result
    },
    async askSocket(request) {
      const result = await real.doors.askSocket(request)
      const { to } = request
      sockets['path' in to ? to.path : `${to.host}:${to.port}`] =
        result.is === 'answer' ? decodeUtf8(result.data) : null
      return result
    },
    async callout(target, kind, options, context) {
      const result =
        real.callout === undefined
          ? ({ is: 'ok' } as const)
          : await real.callout(target, kind, options, context)
      if (target.transport === undefined || target.transport.driver === 'smtp')
        callouts[decodeUtf8(target.address)] =
          result.is === 'ok'
            ? 'ok'
            : decodeUtf8(result.callout?.told?.response ?? result.logMessage ?? '450 no answer')
      return result
    },
  }
  function noteTrouble(path: string, code: string): void {
    files[path] ??= code === 'EACCES' ? { unreadable: true } : null
  }
  return {
    ...world,
    stated: () =>
      withoutEmpty({
        hostname: real.hostname,
        interfaces: real.interfaces,
        time: new Date(real.time).toISOString().replace('.000Z', 'Z'),
        client: {
          address: real.client.address,
          port: real.client.port,
          ...(clientName === undefined ? {} : { name: clientName }),
        },
        dns: Object.fromEntries([...names].map(([name, note]) => [name, statedName(note)])),
        files,
        lookups,
        commands,
        sockets,
        callouts,
        random,
        groups,
        users,
      }),
  }
}

/** `users` stays although it is empty: it says that there are no others. */
function withoutEmpty(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) =>
        name === 'users' || typeof value !== 'object' || value === null || Object.keys(value).length > 0,
    ),
  )
}

function statedName({ types, again, missing, dnssec }: NoteOfName): unknown {
  if (missing && types.size === 0) return 'nxdomain'
  if (types.size === 0 && again.size > 0) return 'servfail'
  const records = [...types].filter(([, texts]) => texts.length > 0)
  if (records.length === 0 && again.size === 0) return 'nodata'
  return {
    ...Object.fromEntries(records.map(([type, texts]) => [type, texts.length === 1 ? texts[0] : texts])),
    ...Object.fromEntries([...again].map((type) => [type, 'servfail'])),
    ...(dnssec ? { dnssec: true } : {}),
  }
}

function recordText(record: DnsRecord): string {
  switch (record.type) {
    case 'MX':
      return `${record.preference} ${record.exchange === '' ? '.' : record.exchange}`
    case 'TXT':
    case 'SPF':
      return decodeUtf8(record.strings.join(''))
    case 'SRV':
    case 'CSA':
      return `${record.priority} ${record.weight} ${record.port} ${record.target}`
    case 'SOA':
      return `${record.mname} ${record.rname} ${record.serial} ${record.minimum}`
    case 'TLSA':
      return `${record.usage} ${record.selector} ${record.matching} ${Buffer.from(record.data).toString('hex')}`
    default:
      return record.value
  }
}

type Content = string | { readonly base64: string }

/** Text where it is text, base 64 where it is not. */
export function contentOf(bytes: ByteString): Content {
  const text = Buffer.from(bytes, 'latin1')
  const isText =
    !/[^\t\n\r -~\x80-\xFF]/.test(bytes) && Buffer.from(text.toString('utf8'), 'utf8').equals(text)
  return isText ? text.toString('utf8') : { base64: text.toString('base64') }
}

function contentField(content: Content): Record<string, string> {
  return typeof content === 'string' ? { content } : { ...content }
}
