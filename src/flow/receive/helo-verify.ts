/** Does the name in HELO belong to the client? Source: Exim manual, `helo_try_verify_hosts`. */
import { formatIp, parseIp } from '../../base/ip.ts'
import type { Context } from '../../ports.ts'

/** Sets `heloVerified` of the connection, once a name. */
export async function verifyHelo(context: Context): Promise<boolean> {
  const connection = context.connection
  if (connection?.hostAddress === undefined) return true
  if (connection.heloVerified !== undefined) return connection.heloVerified
  connection.heloVerified = await belongs(context, connection.helo ?? '', connection.hostAddress)
  return connection.heloVerified
}

async function belongs(context: Context, helo: string, address: string): Promise<boolean> {
  if (helo === '') return false
  // An address in brackets must be the client's own.
  if (helo.startsWith('[')) return sameAddress(helo.slice(1, -1).replace(/^IPv6:/i, ''), address)
  const connection = context.connection
  if (connection === undefined) return false
  if (connection.hostLookup === 'not done') await context.ports.lookUpHostName(connection, context)
  const names = [connection.hostName, ...connection.hostAliases]
  if (names.some((name) => name?.toLowerCase() === helo.toLowerCase())) return true
  const found = await context.ports.hostAddresses(helo)
  return found.is === 'found' && found.addresses.some((one) => sameAddress(one, address))
}

function sameAddress(a: string, b: string): boolean {
  const left = parseIp(a)
  const right = parseIp(b)
  return left !== undefined && right !== undefined && formatIp(left) === formatIp(right)
}
