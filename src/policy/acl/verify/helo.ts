/** `verify = helo` and `verify = reverse_host_lookup`: does the client's name belong to its address? */
import { asciiLower } from '../../../base/text.ts'
import { formatIp, parseIp, unmapped } from '../../../base/ip.ts'
import type { Context } from '../../../ports.ts'
import { FALSE, type Tested, TRUE } from '../row.ts'
import type { VerifyRow } from './row.ts'

export const helo: VerifyRow = {
  name: 'helo',
  doc: 'The name in HELO or EHLO belongs to the client.',
  since: '0.1',
  tier: 'A',
  phases: 'all',
  takesAddress: false,
  wrongOption: noOptions,
  run({ context }): Tested | Promise<Tested> {
    const known = context.connection?.heloVerified
    if (known !== undefined) return known ? TRUE : FALSE
    return verifyHelo(context).then((verified) => (verified ? TRUE : FALSE))
  },
}

export function noOptions(options: readonly string[], text: string): string | undefined {
  return options.length === 0
    ? undefined
    : `unexpected '/' found in "${text}" (this verify item has no options)`
}

/** Sets `heloVerified` of the connection. Source: Exim manual, `helo_try_verify_hosts`. */
export async function verifyHelo(context: Context): Promise<boolean> {
  const { connection, debug, ports } = context
  const name = connection?.helo
  const address = connection?.hostAddress
  if (connection === undefined || address === undefined) return true
  if (connection.heloVerified !== undefined) return connection.heloVerified
  if (name === undefined || name === '') return false
  debug?.('acl', `verifying EHLO/HELO argument "${name}"`)
  connection.heloVerified = name.startsWith('[')
    ? same(name.replace(/^\[(?:ipv6:)?|\]$/gi, ''), address)
    : await byName(name)
  return connection.heloVerified

  async function byName(wanted: string): Promise<boolean> {
    if (connection?.hostLookup === 'not done') {
      await ports.lookUpHostName(connection, context)
      connection.hostNameHidden = true
    }
    const names = [connection?.hostName, ...(connection?.hostAliases ?? [])]
    if (names.some((one) => one !== undefined && asciiLower(one) === asciiLower(wanted))) return true
    debug?.('acl', `getting IP address for ${wanted}`)
    const found = await ports.hostAddresses(wanted)
    return found.is === 'found' && found.addresses.some((one) => same(one, address ?? ''))
  }
}

function same(a: string, b: string): boolean {
  const left = parseIp(a)
  const right = parseIp(b)
  return left !== undefined && right !== undefined && formatIp(unmapped(left)) === formatIp(unmapped(right))
}

export const reverseHostLookup: VerifyRow = {
  name: 'reverse_host_lookup',
  doc: 'The address of the client leads to a name, and that name back to the address.',
  since: '0.1',
  tier: 'A',
  phases: 'all',
  takesAddress: false,
  knownOptions: ['defer_ok'],
  run({ context }, argument): Tested | Promise<Tested> {
    const { connection, debug, ports } = context
    if (connection?.hostAddress === undefined) return TRUE
    const deferOk = argument.options.includes('defer_ok')
    const result = (): Tested => {
      if (connection.hostLookup === 'found') return TRUE
      if (connection.hostLookup === 'deferred') {
        if (deferOk) return TRUE
        return {
          is: 'defer',
          logMessage: 'host lookup deferred for reverse lookup check (host lookup deferred)',
        }
      }
      return {
        is: 'false',
        logMessage: 'host lookup failed for reverse lookup check (failed to find host name from IP address)',
      }
    }
    if (connection.hostLookup !== 'not done') return result()
    debug?.('acl', 'looking up host name to force name/address consistency check')
    return ports.lookUpHostName(connection, context).then(result)
  },
}

export const certificate: VerifyRow = {
  name: 'certificate',
  doc: 'The client has shown a certificate that was verified.',
  since: '0.1',
  tier: 'A',
  phases: 'all',
  takesAddress: false,
  wrongOption: noOptions,
  run({ context }) {
    if (context.connection?.tls?.certificateVerified === true) return TRUE
    const text = 'no verified certificate'
    return { is: 'false', userMessage: text, logMessage: text }
  },
}
