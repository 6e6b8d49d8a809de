/**
 * Which messages wait for which hosts, in the hints: once a host takes a message again, those follow on the same
 * connection. One entry for each transport, host and message, so that processes need not wait for each other.
 * Source: Exim manual, "Outgoing SMTP and LMTP over TCP/IP" and "exim_dumpdb".
 */
import type { Hints } from '../../ports.ts'

/** Keys of a transport begin so; `exim_dumpdb wait-TRANSPORT` shows what follows. */
export function waitPrefix(transport: string): string {
  return `${transport} `
}

function hostPrefix(transport: string, host: string): string {
  return `${waitPrefix(transport)}${host.toLowerCase()} `
}

/** The host and the message of a key, without the prefix of the transport. */
export function waitEntry(key: string): { readonly host: string; readonly id: string } {
  const space = key.lastIndexOf(' ')
  return { host: key.slice(0, space), id: key.slice(space + 1) }
}

export function rememberWaiting(hints: Hints, transport: string, hosts: Iterable<string>, id: string): void {
  for (const host of hosts) {
    const key = hostPrefix(transport, host) + id
    if (hints.get('wait', key) === undefined) hints.put('wait', key, 1)
  }
}

/** What was sent waits no longer, wherever it went. */
export function forgetWaiting(hints: Hints, transport: string, hosts: Iterable<string>, id: string): void {
  for (const host of hosts) {
    const key = hostPrefix(transport, host) + id
    if (hints.get('wait', key) !== undefined) hints.remove('wait', key)
  }
}

/** Ids of messages that wait for a host, oldest first; those after `after`, `most` of them. */
export function waitingFor(
  hints: Hints,
  transport: string,
  host: string,
  after: string,
  most: number,
): string[] {
  const prefix = hostPrefix(transport, host)
  const found: string[] = []
  // `!` comes after the space that ends the prefix; `\x01` is the least that may follow an id.
  const start = after === '' ? prefix : `${prefix}${after}\x01`
  for (const { key } of hints.entries('wait', { start, end: `${prefix.slice(0, -1)}!` })) {
    found.push(key.slice(prefix.length))
    if (found.length >= most) break
  }
  return found
}

/** Takes a message off the list of a host; false: somebody else has. */
export async function takeWaiting(
  hints: Hints,
  transport: string,
  host: string,
  id: string,
): Promise<boolean> {
  let had = false
  await hints.update('wait', hostPrefix(transport, host) + id, (old) => {
    had = old !== undefined
    return undefined
  })
  return had
}
