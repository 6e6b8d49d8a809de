/**
 * Which name servers to ask: `POSTERN_DNS`, else /etc/resolv.conf. And names of /etc/hosts.
 * Source: resolv.conf(5), hosts(5).
 */
import { readFileSync, statSync } from 'node:fs'
import { parseIp } from '../../base/ip.ts'

export interface NameServer {
  readonly address: string
  readonly port: number
}

/** What resolv.conf says that matters here. */
export interface ResolverSetup {
  readonly servers: readonly NameServer[]
  /** Domains for names that are not complete. */
  readonly search: readonly string[]
  /** Dots a name needs to be tried as it is first. */
  readonly ndots: number
  readonly timeoutSeconds: number
  readonly attempts: number
}

/** Reads `ADDRESS:PORT[,ADDRESS:PORT...]`; IPv6 in brackets; the port may be missing. */
export function parseServers(text: string): NameServer[] {
  const servers: NameServer[] = []
  for (const item of text.split(',')) {
    const match = /^(?:\[([^\]]+)\]|([^:]+|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*))(?::(\d{1,5}))?$/i.exec(
      item.trim(),
    )
    const address = match?.[1] ?? match?.[2]
    if (address !== undefined && parseIp(address) !== undefined) {
      servers.push({ address, port: Number(match?.[3] ?? 53) })
    }
  }
  return servers
}

export function parseResolvConf(text: string): ResolverSetup {
  const servers: NameServer[] = []
  let search: string[] = []
  let ndots = 1
  let timeoutSeconds = 5
  let attempts = 2
  for (const line of text.split('\n')) {
    const words = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    const rest = words.slice(1)
    switch (words[0]) {
      case 'nameserver': {
        const address = rest[0]?.replace(/%.*$/, '')
        if (address !== undefined && parseIp(address) !== undefined && servers.length < 3)
          servers.push({ address, port: 53 })
        break
      }
      case 'domain':
      case 'search':
        search = rest.slice(0, 6).map((name) => name.replace(/\.$/, ''))
        break
      case 'options':
        for (const option of rest) {
          const [name, value] = option.split(':')
          const number = Number(value)
          if (!Number.isInteger(number) || number < 0) continue
          if (name === 'ndots') ndots = Math.min(number, 15)
          if (name === 'timeout') timeoutSeconds = Math.min(Math.max(number, 1), 30)
          if (name === 'attempts') attempts = Math.min(Math.max(number, 1), 5)
        }
        break
    }
  }
  // resolv.conf(5): without any, the name server on this machine.
  if (servers.length === 0) servers.push({ address: '127.0.0.1', port: 53 })
  return { servers, search, ndots, timeoutSeconds, attempts }
}

/** Names and aliases of one line of /etc/hosts. */
export interface HostsEntry {
  readonly address: string
  readonly names: readonly string[]
}

export function parseHosts(text: string): HostsEntry[] {
  const entries: HostsEntry[] = []
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*$/, '').trim().split(/\s+/)
    if (address !== undefined && parseIp(address) !== undefined && names.length > 0)
      entries.push({ address, names })
  }
  return entries
}

/** A small file that is read again when it changed, looked at most once in `everyMs`. */
export function watchedFile<T>(
  path: string,
  parse: (text: string) => T,
  now: () => number,
  everyMs: number = 5000,
): () => T {
  let value: T | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  let modified: number | undefined
  return () => {
    if (value !== undefined && now() - lookedAt < everyMs) return value
    lookedAt = now()
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (value === undefined || changed !== modified) {
      modified = changed
      value = parse(changed === undefined ? '' : readText(path))
    }
    return value
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
