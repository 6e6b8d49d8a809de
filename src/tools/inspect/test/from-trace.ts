/**
 * A test from the explanation of a session that the daemon has kept: the client, its commands and their answers, what the
 * DNS and databases said. What an explanation does not hold (files, users, the text of the message) the test asks for
 * when it is run.
 */
import type { TraceNode } from '../../../server/trace.ts'
import { connecting, theMessage } from '../../../server/session-trace.ts'
import { fileLookups } from '../../../server/offline/world.ts'

export interface KeptSession {
  readonly what: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly root: TraceNode
}

/** @param parts of one session, the first one first; undefined: the session was no SMTP from a host */
export function testOfTrace(parts: readonly KeptSession[]): Readonly<Record<string, unknown>> | undefined {
  const [first] = parts
  const [, address, port] = /from \[([^\]]+)\]:(\d+)/.exec(first?.what ?? '') ?? []
  if (first === undefined || address === undefined) return undefined
  const nodes = parts.flatMap(({ root }) => flat(root))
  const commands = parts.flatMap(({ root }) => root.children ?? []).filter(({ kind }) => kind === 'command')
  const name = nodes.findLast(({ kind, what }) => kind === 'dns' && what === `name of ${address}`)?.result
  const auth = commands.find(({ what, result }) => /^AUTH /i.test(what) && (result ?? '').startsWith('235'))
  return {
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
      files: filesOf(nodes),
    },
    dialogue: commands.flatMap(stepsOf),
    expect: {},
  }
}

function flat(node: TraceNode): TraceNode[] {
  return [node, ...(node.children ?? []).flatMap(flat)]
}

function stepsOf({ what, result }: TraceNode): unknown[] {
  const reply = expected(result ?? '')
  if (what === connecting || /^(?:QUIT|AUTH .*)$/i.test(what)) return []
  if (what === theMessage) return [{ message: true, reply }]
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

/** Of a file in which keys were looked up, the lines that were found. */
function filesOf(nodes: readonly TraceNode[]): Record<string, string> {
  const files: Record<string, string> = {}
  for (const { kind, what, result = '' } of nodes) {
    const [, key, file] = (kind === 'lookup' ? /^lsearch (\S+) in (\/\S+)$/.exec(what) : null) ?? []
    if (key === undefined || file === undefined || /^(?:defer|failure): /.test(result)) continue
    const line = result.startsWith('found: ')
      ? `${key}: ${result.slice('found: '.length).replaceAll('\n', ' ')}\n`
      : ''
    if (!(files[file] ?? '').includes(line) || files[file] === undefined)
      files[file] = `${files[file] ?? ''}${line}`
  }
  return files
}
