/** Answers the engine's questions from a record. A question that it does not answer is noted, and deferred. */
import { createHash } from 'node:crypto'
import { parseIp } from '../../base/ip.ts'
import { encodeUtf8, textOf, type ByteString } from '../../base/text.ts'
import type {
  Account,
  Accounts,
  DnsAnswer,
  DnsType,
  Files,
  FileStat,
  FileTrouble,
  LookupRequest,
  LookupResult,
  VerifyResult,
} from '../../ports.ts'
import { createHostNames, reverseName } from '../../wire/dns/index.ts'
import { matchesText, type Stated, type StatedFile, type StatedName } from './stated.ts'
import { lookupQuestion, pamLine, type World } from './world.ts'

/** A question without an answer, and what to write into the file so that there is one. */
export interface Unanswered {
  readonly question: string
  readonly yaml: string
}

export interface StatedWorld extends World {
  readonly unanswered: readonly Unanswered[]
  /** UDP packets that ACLs sent. */
  readonly packets: string[]
  /** Moves the clock. */
  pass(milliseconds: number): void
}

const longestChain = 12

export function createStatedWorld(stated: Stated): StatedWorld {
  const unanswered: Unanswered[] = []
  const missed = (question: string, yaml: string): void => {
    if (!unanswered.some((one) => one.question === question)) unanswered.push({ question, yaml })
  }
  let time = stated.time
  let drawn = 0
  const dns = (name: string, type: DnsType): DnsAnswer => answerDns(stated, name, type, missed)
  const hostAddresses: World['hostAddresses'] = async (name, how = {}) => {
    // The file of hosts has it everywhere; RFC 6761 section 6.3.
    if (name.toLowerCase() === 'localhost' && nameIn(stated.dns, 'localhost') === undefined)
      return {
        is: 'found',
        addresses: how.ipv4Only === true ? ['127.0.0.1'] : ['127.0.0.1', '::1'],
        canonicalName: 'localhost',
        dnssec: false,
      }
    const answers = [dns(name, 'A'), ...(how.ipv4Only === true ? [] : [dns(name, 'AAAA')])]
    const addresses = answers.flatMap(({ records }) =>
      records.flatMap((record) => ('value' in record ? [record.value] : [])),
    )
    const [first] = answers
    if (addresses.length > 0 && first !== undefined)
      return {
        is: 'found',
        addresses,
        canonicalName: first.canonicalName,
        dnssec: answers.every(({ authenticated }) => authenticated),
      }
    return answers.some(({ status }) => status === 'again') ? { is: 'again' } : { is: 'none' }
  }
  const byDns = createHostNames({
    order: ['bydns'],
    resolver: {
      dns: async (name, type) => dns(name, type),
      hostAddresses,
      searchDomains: () => [],
      hostsFileNames: () => [],
    },
  })
  return {
    unanswered,
    packets: [],
    pass: (milliseconds) => void (time += milliseconds),
    now: () => time,
    random(limit) {
      const next = stated.random[drawn++]
      return next === undefined || limit < 1 ? 0 : next % limit
    },
    hostname: stated.hostname,
    interfaces: stated.interfaces,
    dns: async (name, type) => dns(name, type),
    hostAddresses,
    async lookUpHostName(connection, context) {
      const { name } = stated.client
      if (connection.hostLookup !== 'not done') return
      if (name === undefined || connection.hostAddress !== stated.client.address)
        return byDns(connection, context)
      connection.hostLookup = name === null ? 'failed' : 'found'
      if (name !== null) connection.hostName = encodeUtf8(name)
    },
    lookup: async (request) => answerLookup(stated, request, missed),
    accounts: accountsOf(stated, missed),
    files: filesOf(stated, missed),
    async runCommand(request) {
      const line = [request.program, ...request.argv].join(' ')
      const found = stated.commands.find((one) => matchesText(one.line, line))
      if (found !== undefined) return { is: 'ended', code: found.code, output: found.output }
      missed(`the command ${line}`, `commands:\n  ${quoted(line)}: what it prints`)
      return { is: 'failed', message: 'the test does not state what this command prints' }
    },
    async askPam({ user }) {
      const line = pamLine(user)
      const found = stated.commands.find((one) => matchesText(one.line, line))
      const said = found?.output.trim()
      if (said === 'yes' || said === 'no') return { is: said }
      if (said === undefined) missed(`PAM about ${user}`, `commands:\n  ${quoted(line)}: yes or no`)
      return { is: 'failed', message: said ?? 'the test does not state what PAM says' }
    },
    async askSocket({ to, request }) {
      const where = 'path' in to ? to.path : `${to.host}:${to.port}`
      const found = stated.sockets.find((one) => matchesText(one.to, where))
      if (found === undefined) {
        missed(
          `the socket ${where}, asked ${JSON.stringify(request)}`,
          `sockets:\n  ${quoted(where)}: what it answers`,
        )
        return { is: 'failed', message: 'the test does not state what this socket answers' }
      }
      return found.answer === undefined
        ? { is: 'failed', message: 'connection refused' }
        : { is: 'answer', data: found.answer }
    },
    async callout(target, kind, options): Promise<VerifyResult> {
      // A local delivery has no host that could be asked.
      if (target.transport !== undefined && target.transport.driver !== 'smtp') return { is: 'ok' }
      const found = stated.callouts.find(({ of }) => matchesText(of, target.address))
      if (found === undefined && stated.otherwise.callouts === undefined) {
        missed(`a callout about ${target.address}`, `callouts:\n  ${quoted(target.address)}: ok`)
        return { is: 'defer', logMessage: 'the test does not state what a callout would say' }
      }
      const [host] = target.hosts
      const place = { name: host?.name ?? 'host.example', address: host?.address ?? '192.0.2.0' }
      const result = calloutResult(kind, target.address, found?.says ?? 'ok', place)
      return result.is === 'defer' && options.deferOk ? { is: 'ok' } : result
    },
  }
}

// ------------------------------------------------------------------------------------------------ DNS

type Missed = (question: string, yaml: string) => void

function answerDns(stated: Stated, asked: string, type: DnsType, missed: Missed): DnsAnswer {
  let name = asked.toLowerCase().replace(/\.$/, '')
  for (let step = 0; step < longestChain; step++) {
    const found = nameIn(stated.dns, name)
    if (found === undefined) {
      if (stated.otherwise.dns !== undefined) return answer('nxdomain', name)
      missed(
        `the DNS for ${type} of ${name}`,
        `dns:\n  ${quoted(name)}: nxdomain        # or {${type}: ${exampleOf(type)}}`,
      )
      return answer('again', name)
    }
    if (found.status === 'nxdomain') return answer('nxdomain', name)
    if (found.status === 'again' || found.again.has(type)) return answer('again', name)
    const records = found.records.filter((record) => record.type === type)
    if (records.length > 0)
      return {
        status: 'found',
        records: records.map((record) => ({ ...record, name })),
        authenticated: found.authenticated,
        canonicalName: name,
      }
    const alias = found.records.find((record) => record.type === 'CNAME')
    if (alias === undefined || !('value' in alias)) return answer('nodata', name)
    name = alias.value.toLowerCase().replace(/\.$/, '')
  }
  return answer('again', name)
}

function nameIn(dns: Stated['dns'], name: string): StatedName | undefined {
  const whole = dns.get(name)
  if (whole !== undefined) return whole
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const wild = dns.get(`*${name.slice(dot)}`)
    if (wild !== undefined) return wild
  }
  return dns.get('*')
}

function answer(status: 'nodata' | 'nxdomain' | 'again', canonicalName: string): DnsAnswer {
  return { status, records: [], authenticated: false, canonicalName }
}

function exampleOf(type: DnsType): string {
  const examples: Partial<Record<DnsType, string>> = {
    A: '192.0.2.1',
    AAAA: '2001:db8::1',
    MX: '10 mail.example.org',
    TXT: '"v=spf1 -all"',
    PTR: 'mail.example.org',
  }
  return examples[type] ?? 'servfail'
}

/** The name under which the DNS keeps an address, or the name itself. */
export function dnsName(text: string): string {
  return (parseIp(text) === undefined ? text : (reverseName(text) ?? text)).toLowerCase().replace(/\.$/, '')
}

// ------------------------------------------------------------------------------------- databases, hosts

function answerLookup(stated: Stated, request: LookupRequest, missed: Missed): LookupResult {
  const query = textOf(request.key)
  const whole = lookupQuestion(request)
  const found = stated.lookups.find(
    (one) => one.type === request.type && (matchesText(one.query, whole) || matchesText(one.query, query)),
  )
  if (found !== undefined) return found.answer
  if (stated.otherwise.lookups !== undefined) return { is: 'none' }
  missed(
    `the ${request.type} lookup ${whole}`,
    `lookups:\n  ${request.type}:\n    ${quoted(whole)}: what it finds        # null: nothing`,
  )
  return { is: 'defer', message: 'the test does not state what this lookup finds' }
}

/** As the real callout tells of the reply to RCPT. */
function calloutResult(
  kind: 'recipient' | 'sender',
  address: ByteString,
  says: ByteString,
  host: { readonly name: string; readonly address: string },
): VerifyResult {
  if (says === 'ok' || says.startsWith('2')) return { is: 'ok' }
  const sent = `RCPT TO:<${address}>`
  const why = `${host.name} [${host.address}] : SMTP error from remote mail server after ${sent}: ${says}`
  if (says.startsWith('5'))
    return {
      is: 'fail',
      failure: 'recipient',
      userMessage: `Callout verification failed:\n${says}`,
      logMessage: why.replaceAll('\n', '\\n'),
      callout: { told: { called: host.address, sent, response: says } },
    }
  const incomplete = `Could not complete ${kind} verify callout`
  return {
    is: 'defer',
    userMessage: incomplete,
    logMessage: `${incomplete}: ${says.startsWith('4') ? why : says}`,
    callout: { told: undefined },
  }
}

// --------------------------------------------------------------------------------------------- accounts

function accountsOf(stated: Stated, missed: Missed): Accounts {
  const users = stated.users
  const root: Account = { name: 'root', uid: 0, gid: 0, gecos: '', home: '/root', shell: '/bin/sh' }
  const every = (): Account[] => [...(users?.values() ?? []), root]
  return {
    byName(name) {
      const found = users?.get(name) ?? (name === 'root' ? root : undefined)
      if (found === undefined && users === undefined && stated.otherwise.users === undefined)
        missed(
          `whether there is a user ${name}`,
          `users: {${quoted(name)}: {uid: 1000, home: /home/${name}}}        # or users: {}`,
        )
      return found
    },
    byUid: (uid) => every().find((one) => one.uid === uid),
    groupByName: (name) => stated.groups.get(name) ?? groupOf(every().find((one) => one.name === name)),
    groupByGid: (gid) =>
      [...stated.groups.values()].find((one) => one.gid === gid) ??
      groupOf(every().find((one) => one.gid === gid)),
  }
}

function groupOf(user: Account | undefined): ReturnType<Accounts['groupByName']> {
  return user === undefined ? undefined : { name: user.name, gid: user.gid, members: [] }
}

// ------------------------------------------------------------------------------------------------ files

function filesOf(stated: Stated, missed: Missed): Files {
  const folders = new Map<string, Set<string>>()
  for (const [path, file] of stated.files) {
    if (file.is === 'folder' && !folders.has(path)) folders.set(path, new Set())
    if (file.is === 'absent') continue
    for (let at = path.lastIndexOf('/'), rest = path; at >= 0; at = rest.lastIndexOf('/')) {
      const folder = at === 0 ? '/' : rest.slice(0, at)
      const names = folders.get(folder) ?? new Set()
      names.add(rest.slice(at + 1))
      folders.set(folder, names)
      if (at === 0) break
      rest = folder
    }
  }
  const look = (path: string): StatedFile | FileTrouble => {
    const name = path.length > 1 ? path.replace(/\/+$/, '') : path
    const file = stated.files.get(name)
    if (file?.is === 'absent') return absent
    if (file !== undefined) return file
    if (folders.has(name)) return { is: 'folder', bytes: '', mode: undefined, uid: undefined }
    const parent = name.slice(0, Math.max(1, name.lastIndexOf('/')))
    // Of a folder that is stated as such the names are known, all of them.
    if (stated.files.get(parent)?.is === 'folder' || stated.otherwise.files !== undefined) return absent
    missed(
      `the file ${name}`,
      `files:\n  ${quoted(name)}: null        # absent; or its content, or {folder: true}`,
    )
    return absent
  }
  return {
    read(path, limit) {
      const file = look(path)
      if ('error' in file) return file
      if (file.is === 'folder') return { error: 'Is a directory', code: 'EISDIR' }
      if (file.is === 'unreadable') return { error: 'Permission denied', code: 'EACCES' }
      if (file.bytes.length > limit) return { error: `larger than ${limit} bytes`, code: 'EFBIG' }
      return { bytes: file.bytes, stat: statOf(path, file, stated) }
    },
    stat(path) {
      const file = look(path)
      return 'error' in file ? file : statOf(path, file, stated)
    },
    space: () => ({ freeBytes: 2 ** 40, freeInodes: 2 ** 20 }),
    list(path) {
      const file = look(path)
      if ('error' in file) return file
      if (file.is !== 'folder') return { error: 'Not a directory', code: 'ENOTDIR' }
      return [...(folders.get(path.length > 1 ? path.replace(/\/+$/, '') : path) ?? [])]
    },
  }
}

const absent: FileTrouble = { error: 'No such file or directory', code: 'ENOENT' }

/** What is in it tells files apart: caches of parsed files go by the inode. */
function statOf(path: string, file: StatedFile, stated: Stated): FileStat {
  const folder = file.is === 'folder'
  const inode = createHash('sha256').update(`${path}\0${file.bytes}`, 'latin1').digest().readUIntBE(0, 6)
  return {
    mode: file.mode ?? (folder ? 0o40_755 : 0o100_644),
    inode,
    device: 1,
    links: 1,
    uid: file.uid ?? 0,
    gid: 0,
    size: file.bytes.length,
    accessedAt: stated.time,
    modifiedAt: stated.time,
    changedAt: stated.time,
    kind: folder ? 'directory' : 'file',
  }
}

/** Text as YAML takes it for a key or a plain value. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9/_][\w./@+-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|~|[\d.]+)$/i.test(text)
    ? text
    : JSON.stringify(text)
}
