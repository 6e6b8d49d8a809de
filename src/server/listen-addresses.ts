/**
 * Which addresses and ports to listen on, from `local_interfaces`, `daemon_smtp_ports` and `-oX`.
 * Source: Exim manual, "Starting the daemon and the use of network interfaces".
 */
import { parseIp } from '../base/ip.ts'

export interface ListenAddress {
  /** `::` and `0.0.0.0` stand for all. */
  readonly address: string
  readonly port: number
  /** The port is one of `tls_on_connect_ports`. */
  readonly tlsOnConnect: boolean
}

export interface ListenRequest {
  /** Items of `local_interfaces`, expanded; undefined: not set. */
  readonly interfaces: readonly string[] | undefined
  readonly ports: readonly string[]
  readonly tlsOnConnectPorts: readonly string[]
  readonly disableIpv6: boolean
  /** Value of -oX. */
  readonly override?: string | undefined
}

export type ListenResult =
  | { readonly is: 'addresses'; readonly addresses: readonly ListenAddress[] }
  | { readonly is: 'wrong'; readonly message: string }

/** Names of ports that mail configurations use; others are looked up in /etc/services by the caller. */
export const knownPorts: Readonly<Record<string, number>> = {
  smtp: 25,
  smtps: 465,
  ssmtp: 465,
  submissions: 465,
  urd: 465,
  submission: 587,
}

/**
 * @param servicePort finds the number of a service name that is not well known
 */
export function listenAddresses(
  request: ListenRequest,
  servicePort: (name: string) => number | undefined,
): ListenResult {
  const portOf = (text: string): number | undefined => {
    const number = /^\d+$/.test(text) ? Number(text) : (knownPorts[text] ?? servicePort(text))
    return number !== undefined && number >= 0 && number <= 65535 ? number : undefined
  }
  let interfaces = request.interfaces ?? (request.disableIpv6 ? ['0.0.0.0'] : ['::', '0.0.0.0'])
  let ports = request.ports
  if (request.override !== undefined) {
    const { addresses, ports: only } = splitOverride(request.override)
    if (addresses.length > 0) interfaces = addresses
    if (only.length > 0) ports = only
  }
  const tlsPorts = new Set(request.tlsOnConnectPorts.map(portOf))
  const found: ListenAddress[] = []
  for (const item of interfaces) {
    const parsed = splitInterface(item)
    if (parsed === undefined)
      return { is: 'wrong', message: `"${item}" is not an IP address in local_interfaces` }
    const wanted = parsed.port === undefined ? ports : [parsed.port]
    for (const text of wanted) {
      const port = portOf(text)
      if (port === undefined) return { is: 'wrong', message: `TCP port "${text}" not found` }
      if (request.disableIpv6 && parsed.address.includes(':')) continue
      if (found.some((other) => other.address === parsed.address && other.port === port)) continue
      found.push({ address: parsed.address, port, tlsOnConnect: tlsPorts.has(port) })
    }
  }
  return { is: 'addresses', addresses: found }
}

/**
 * -oX has ports, addresses, or both: an item with a dot or colon that is an address belongs to the addresses.
 * The list's separator is a colon unless it begins with `<`.
 */
function splitOverride(text: string): { addresses: string[]; ports: string[] } {
  const changed = /^\s*<(\S)\s*(.*)$/s.exec(text)
  const separator = changed?.[1] ?? ':'
  const body = changed?.[2] ?? text
  const items = body
    .split(separator === ':' ? /(?<!:):(?!:)/ : separator)
    .map((item) => item.trim().replaceAll('::', separator === ':' ? ':' : '::'))
    .filter((item) => item !== '')
  const isAddress = (item: string): boolean => splitInterface(item) !== undefined
  return { addresses: items.filter(isAddress), ports: items.filter((item) => !isAddress(item)) }
}

/** `192.0.2.1`, `192.0.2.1.587`, `[192.0.2.1]:587`, `2001:db8::1`, `2001:db8::1.587`, `[2001:db8::1]:587`. */
export function splitInterface(text: string): { address: string; port: string | undefined } | undefined {
  const whole = text.trim()
  if (parseIp(whole) !== undefined) return { address: shortWildcard(whole), port: undefined }
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::(\w+))?$/.exec(whole)
  const dotted = /^(.*)\.(\d+)$/.exec(whole)
  const address = bracketed?.[1] ?? dotted?.[1]
  if (address === undefined || parseIp(address) === undefined) return undefined
  return { address: shortWildcard(address), port: bracketed?.[2] ?? dotted?.[2] }
}

function shortWildcard(address: string): string {
  return /^[0:]+$/.test(address) ? '::' : address
}

/** What the start-up line says: `listening for SMTP on port 25 (IPv6 and IPv4) and for SMTPS on [192.0.2.1]:465`. */
export function describeAddresses(addresses: readonly ListenAddress[]): string {
  const plain = addresses.filter((each) => !each.tlsOnConnect)
  const tls = addresses.filter((each) => each.tlsOnConnect)
  const parts: string[] = []
  if (plain.length > 0) parts.push(`for SMTP on ${describePlaces(plain)}`)
  if (tls.length > 0) parts.push(`for SMTPS on ${describePlaces(tls)}`)
  return `listening ${parts.join(' and ')}`
}

/** Wildcard addresses are told once a port, others with all their ports, as Exim does. */
function describePlaces(addresses: readonly ListenAddress[]): string {
  const told = new Set<string>()
  for (const { address, port } of addresses) {
    const alike = addresses.filter((other) =>
      isWildcard(address) ? isWildcard(other.address) && other.port === port : other.address === address,
    )
    told.add(isWildcard(address) ? describeWildcard(port, alike) : describePorts(address, alike))
  }
  return [...told].join(' ')
}

function isWildcard(address: string): boolean {
  return address === '::' || address === '0.0.0.0'
}

function describeWildcard(port: number, alike: readonly ListenAddress[]): string {
  const [six, four] = ['::', '0.0.0.0'].map((kind) => alike.some(({ address }) => address === kind))
  return `port ${port} (${six === true && four === true ? 'IPv6 and IPv4' : six === true ? 'IPv6' : 'IPv4'})`
}

function describePorts(address: string, alike: readonly ListenAddress[]): string {
  const ports = alike.map(({ port }) => port)
  return `[${address}]:${ports.length === 1 ? ports[0] : `{${ports.join(',')}}`}`
}
