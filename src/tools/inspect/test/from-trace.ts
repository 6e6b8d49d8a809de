/**
 * A test from the explanation of a session that the daemon has kept: the client, its commands and their answers, what the
 * DNS, databases and users were. The text of the message and of files is taken from where they are now; what is nowhere is
 * named as missing.
 */
import { contentOf } from '../../../server/offline/recorded-world.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TraceNode } from '../../../server/trace.ts'
import { connecting, theMessage } from '../../../server/session-trace.ts'
import { fileLookups } from '../../../server/offline/world.ts'

export interface KeptSession {
  readonly what: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly root: TraceNode
}

/** What stands elsewhere than in the explanation. */
export interface Elsewhere {
  /** As its client sent it, or nearly. */
  readonly message: ByteString | undefined
  /** A file as it is now; undefined: it cannot be read. */
  readonly readFile: (path: string) => ByteString | undefined
}

export interface TestOfTrace {
  readonly test: Readonly<Record<string, unknown>>
  /** Sentences: what the test lacks, and what to do. */
  readonly missing: readonly string[]
}

/** @param parts of one session, the first one first; undefined: the session was no SMTP from a host */
export function testOfTrace(parts: readonly KeptSession[], elsewhere: Elsewhere): TestOfTrace | undefined {
  const [first] = parts
  const [, address, port] = /from \[([^\]]+)\]:(\d+)/.exec(first?.what ?? '') ?? []
  if (first === undefined || address === undefined) return undefined
  const nodes = parts.flatMap(({ root }) => flat(root))
  const commands = parts.flatMap(({ root }) => root.children ?? []).filter(({ kind }) => kind === 'command')
  const name = nodes.findLast(({ kind, what }) => kind === 'dns' && what === `name of ${address}`)?.result
  const auth = commands.find(({ what, result }) => /^AUTH /i.test(what) && (result ?? '').startsWith('235'))
  const files = filesOf(nodes, elsewhere)
  const messages = commands.filter(({ what }) => what === theMessage).length
  const missing = [
    ...(messages > 0 && elsewhere.message === undefined
      ? ['the text of the message is not kept: a short one stands in its place. --message FILE gives it.']
      : []),
    ...(messages > 1 ? [`${messages} messages came in this session: each has the same text here.`] : []),
    ...(auth === undefined
      ? []
      : ['as whom the client authenticated is not kept: write it in "authenticated".']),
    ...(files.now.length === 0
      ? []
      : [`files stand here as they are now, which may not be as they were: ${files.now.join(', ')}`]),
    ...(files.gone.length === 0 ? [] : [`files that cannot be read: ${files.gone.join(', ')}`]),
    ...(nodes.some(({ leftOut }) => leftOut !== undefined)
      ? ['the explanation is not whole: questions of its steps that were left out are missing.']
      : []),
  ]
  const test = {
    name: `session of ${new Date(first.at).toISOString()} from ${address}`,
    world: {
      time: `${new Date(first.at).toISOString().slice(0, 19)}Z`,
      client: {
        address,
        port: Number(port),
        ...(name === undefined || name === 'deferred' || name === 'not done'
          ? {}
          : { name: name === 'failed' ? null : name }),
      },
      ...(commands.some(({ what, result }) => /^STARTTLS$/i.test(what) && (result ?? '').startsWith('220'))
        ? { tls: true }
        : {}),
      // The words of AUTH are not kept.
      ...(auth === undefined
        ? {}
        : { authenticated: { id: 'somebody', by: (auth.what.split(' ')[1] ?? 'plain').toLowerCase() } }),
      dns: dnsOf(nodes),
      lookups: lookupsOf(nodes),
      files: files.stated,
      ...usersOf(nodes),
    },
    dialogue: commands.flatMap((command) => stepsOf(command, elsewhere.message)),
    expect: {},
  }
  return { test, missing }
}

function flat(node: TraceNode): TraceNode[] {
  return [node, ...(node.children ?? []).flatMap(flat)]
}

function stepsOf({ what, result }: TraceNode, message: ByteString | undefined): unknown[] {
  const reply = expected(result ?? '')
  if (what === connecting || /^(?:QUIT|AUTH .*)$/i.test(what)) return []
  if (what === theMessage) return [{ message: message === undefined ? true : contentOf(message), reply }]
  // The message says DATA itself.
  if (/^DATA$/i.test(what) && reply.startsWith('354')) return []
  return reply === '' ? [what] : [{ [what]: /^EHLO|^HELO/i.test(what) ? reply.slice(0, 3) : reply }]
}

function expected(reply: string): string {
  return reply.replace(/id=\S+.*$/s, 'id=')
}

const statuses: Readonly<Record<string, string>> = {
  nxdomain: 'nxdomain',
  nodata: 'nodata',
  none: 'nxdomain',
  again: 'servfail',
}

function dnsOf(nodes: readonly TraceNode[]): Record<string, unknown> {
  const names: Record<string, Record<string, unknown> | string> = {}
  const add = (name: string, type: string, values: readonly string[]): void => {
    const before = names[name]
    names[name] = {
      ...(typeof before === 'object' ? before : {}),
      [type]: values.length === 1 ? values[0] : values,
    }
  }
  for (const { kind, what, result = '' } of nodes) {
    if (kind !== 'dns' || what.startsWith('name of ')) continue
    const [, ofAddresses] = /^addresses of (\S+)$/.exec(what) ?? []
    const [, asked, type = ''] = /^(\S+) ([A-Z]+)$/.exec(what) ?? []
    const name = (ofAddresses ?? asked ?? '').toLowerCase()
    if (name === '') continue
    const status = statuses[result]
    if (status !== undefined) {
      if (status === 'servfail' && asked !== undefined) add(name, type, ['servfail'])
      else names[name] ??= status
      continue
    }
    if (ofAddresses !== undefined) {
      const all = result.split(', ')
      for (const each of ['A', 'AAAA']) {
        const those = all.filter((one) => one.includes(':') === (each === 'AAAA'))
        if (those.length > 0) add(name, each, those)
      }
    } else if (type === 'TXT' || type === 'SPF') add(name, type, result.replace(/^"|"$/g, '').split('", "'))
    else add(name, type, result.split(', '))
  }
  return names
}

function lookupsOf(nodes: readonly TraceNode[]): Record<string, Record<string, unknown>> {
  const found: Record<string, Record<string, unknown>> = {}
  for (const { kind, what, result = '' } of nodes) {
    const [, type = '', query = ''] = (kind === 'lookup' ? /^(\S+) (.*)$/s.exec(what) : null) ?? []
    if (type === '' || fileLookups.has(type)) continue
    ;(found[type] ??= {})[query] = answerOf(result)
  }
  return found
}

function answerOf(result: string): unknown {
  if (result.startsWith('found: ')) return result.slice('found: '.length)
  const [, is, message] = /^(defer|failure): (.*)$/s.exec(result) ?? []
  return is === undefined ? null : { [is === 'defer' ? 'defer' : 'fail']: message }
}

interface FoundFiles {
  readonly stated: Record<string, unknown>
  /** Taken from the disk. */
  readonly now: readonly string[]
  /** They were there, and are not now. */
  readonly gone: readonly string[]
}

/** Files that were asked for. Of one that is gone by now and in which keys were looked up, the lines that were found. */
function filesOf(nodes: readonly TraceNode[], { readFile }: Elsewhere): FoundFiles {
  const stated: Record<string, unknown> = {}
  const lines = linesOf(nodes)
  const was = new Map<string, string>()
  for (const path of lines.keys()) was.set(path, 'read')
  for (const { kind, what, result = '' } of nodes) if (kind === 'file') was.set(what, result)
  const now: string[] = []
  const gone: string[] = []
  for (const [path, how] of was) {
    if (how.startsWith('No such file')) stated[path] = null
    else if (how.startsWith('Permission denied')) stated[path] = { unreadable: true }
    else if (how.startsWith('folder')) stated[path] = { folder: true }
    else {
      const content = readFile(path)
      if (content !== undefined) now.push(path)
      else gone.push(path)
      stated[path] = content === undefined ? (lines.get(path) ?? '') : contentOf(content)
    }
  }
  return { stated, now, gone }
}

/** What lookups have found, as lines. */
function linesOf(nodes: readonly TraceNode[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const { kind, what, result = '' } of nodes) {
    const [, key, file] = (kind === 'lookup' ? /^lsearch (\S+) in (\/\S+)$/.exec(what) : null) ?? []
    if (key === undefined || file === undefined || /^(?:defer|failure): /.test(result)) continue
    const line = result.startsWith('found: ')
      ? `${key}: ${result.slice('found: '.length).replaceAll('\n', ' ')}\n`
      : ''
    const before = files.get(file) ?? ''
    if (!before.includes(line) || before === '') files.set(file, `${before}${line}`)
  }
  return files
}

/** Users and groups that were asked for. */
function usersOf(nodes: readonly TraceNode[]): Record<string, unknown> {
  const users: Record<string, unknown> = {}
  const groups: Record<string, unknown> = {}
  let asked = false
  for (const { kind, what, result = '' } of nodes) {
    if (kind === 'user') {
      asked = true
      const [, uid, gid, home, shell] = /^uid (\d+) gid (\d+) home (.*) shell (.*)$/.exec(result) ?? []
      if (uid !== undefined)
        users[what] = { uid: Number(uid), gid: Number(gid), home, ...(shell === '' ? {} : { shell }) }
    }
    const [, id, members] = (kind === 'group' ? /^gid (\d+) members ?(.*)$/.exec(result) : null) ?? []
    if (id !== undefined)
      groups[what] = { gid: Number(id), members: (members ?? '').split(' ').filter(Boolean) }
  }
  // Empty, it says that there are no others.
  return { ...(asked ? { users } : {}), ...(Object.keys(groups).length === 0 ? {} : { groups }) }
}
