/**
 * The primary host name, and which addresses are ours. A door: it asks the system.
 * Source: Exim manual, "primary_hostname"; "Recognizing the local host".
 */
import { hostname, networkInterfaces } from 'node:os'
import type { HostAddresses } from '../ports.ts'

/** Longest wait for the DNS to complete a host name without a dot. */
const waitMs = 2000

/**
 * The name the system gives; when it has no dot, its canonical name from the hosts file or the DNS.
 * @param names asked only when there is no dot
 */
export async function primaryHostname(
  names: () => Promise<{
    hostAddresses(name: string): Promise<HostAddresses>
    /** Names the hosts file has for an address. */
    hostsFileNames(address: string): readonly string[]
  }>,
): Promise<string> {
  const own = hostname()
  if (own.includes('.')) return own
  const resolver = await names()
  const found = await atMost(resolver.hostAddresses(own), waitMs)
  if (found?.is !== 'found') return own
  const complete = (name: string): boolean => name.toLowerCase().startsWith(`${own.toLowerCase()}.`)
  if (complete(found.canonicalName)) return found.canonicalName
  for (const address of found.addresses) {
    const name = resolver.hostsFileNames(address).find(complete)
    if (name !== undefined) return name
  }
  return own
}

async function atMost<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  const result = await Promise.race([promise, limit])
  clearTimeout(timer)
  return result
}

/** Addresses of all interfaces; looked at anew at most once a minute. */
export function interfaceAddresses(now: () => number): () => readonly string[] {
  let known: readonly string[] = []
  let readAt = Number.NEGATIVE_INFINITY
  return () => {
    if (now() - readAt > 60_000) {
      readAt = now()
      known = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
    }
    return known
  }
}
