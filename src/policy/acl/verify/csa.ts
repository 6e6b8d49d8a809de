/** `verify = csa`: does the DNS say that this client may send mail? Source: Exim manual, "Client SMTP authorization". */
import { formatIp, parseIp, reverseIp, unmapped } from '../../../base/ip.ts'
import type { Context, DnsRecord } from '../../../ports.ts'
import { TRUE, type Tested } from '../row.ts'
import type { VerifyRow } from './row.ts'

type Status = 'ok' | 'unknown' | 'defer' | 'fail'
interface Verdict {
  readonly status: Status
  readonly why: string
}

/** Targets of one record whose addresses are looked up. */
const mostTargets = 10

export const csa: VerifyRow = {
  name: 'csa',
  doc: 'The client is authorised to send mail by a CSA record.',
  since: '0.1',
  tier: 'C',
  phases: 'all',
  takesAddress: false,
  async run({ context }, argument): Promise<Tested> {
    const { connection, variables } = context
    const address = connection?.hostAddress
    if (address === undefined) return TRUE
    const given = argument.options[0]
    const name = given === undefined || given === '' ? (connection?.helo ?? address) : given
    const { status, why } = await judge(name, address, context)
    variables.set('csa_status', status)
    context.debug?.('acl', `CSA result ${status}: ${why}`)
    if (status !== 'fail') return TRUE
    const text = `client SMTP authorization ${why}`
    return { is: 'false', userMessage: text, logMessage: text }
  },
}

async function judge(name: string, address: string, context: Context): Promise<Verdict> {
  const domain = domainOf(name, context)
  if (domain === undefined) return { status: 'unknown', why: 'the name is no domain' }
  const found = await context.ports.dns(`_client._smtp.${domain}`, 'SRV')
  if (found.status === 'again') return { status: 'defer', why: 'deferred (SRV lookup)' }
  const records = found.records.filter(isCsa)
  const record = records[0]
  if (record === undefined) return askParents(domain, context)
  // Weight: 1 not authorised, 2 authorised, 3 unknown.
  if (record.weight === 1) return { status: 'fail', why: 'failed (explicitly unauthorized)' }
  if (record.weight !== 2) return { status: 'unknown', why: 'the record says that it does not know' }
  return matchTargets(records, address, context)
}

type Srv = DnsRecord & { readonly type: 'SRV' | 'CSA' }

/** The priority of a CSA record is its version. */
function isCsa(record: DnsRecord): record is Srv {
  return (record.type === 'SRV' || record.type === 'CSA') && record.priority === 1
}

function domainOf(name: string, { settings }: Context): string | undefined {
  const ip = parseIp(name.replace(/^\[(?:IPv6:)?|\]$/gi, ''))
  if (ip !== undefined) {
    if (!settings.dns_csa_use_reverse) return undefined
    const zone = ip.version === 4 ? 'in-addr.arpa' : 'ip6.arpa'
    return `${reverseIp(ip)}.${zone}`
  }
  return /^[A-Za-z0-9_.-]{1,240}$/.test(name) && name.includes('.') ? name.replace(/\.$/, '') : undefined
}

/** A parent domain may say that all its subdomains must have records: bit 1 of the port. */
async function askParents(domain: string, { ports, settings }: Context): Promise<Verdict> {
  const labels = domain.split('.')
  for (let i = 1; i <= settings.dns_csa_search_limit && labels.length - i >= 2; i++) {
    const found = await ports.dns(`_client._smtp.${labels.slice(i).join('.')}`, 'SRV')
    if (found.status === 'again') return { status: 'defer', why: 'deferred (SRV lookup)' }
    const record = found.records.find(isCsa)
    if (record === undefined) continue
    return (record.port & 1) === 1
      ? { status: 'fail', why: 'failed (explicit authorization required)' }
      : { status: 'unknown', why: 'a parent domain asks for nothing' }
  }
  return { status: 'unknown', why: 'there is no record' }
}

async function matchTargets(records: readonly Srv[], address: string, { ports }: Context): Promise<Verdict> {
  const client = parseIp(address)
  const wanted = client === undefined ? address : formatIp(unmapped(client))
  let any = false
  for (const { target } of records.slice(0, mostTargets)) {
    const found = await ports.hostAddresses(target, { method: 'bydns' })
    if (found.is === 'again') return { status: 'defer', why: 'deferred (target address lookup)' }
    if (found.is !== 'found') continue
    const same = found.addresses.filter((one) => one.includes(':') === wanted.includes(':'))
    any ||= same.length > 0
    if (same.includes(wanted)) return { status: 'ok', why: 'ok' }
  }
  return any
    ? { status: 'fail', why: 'failed (client IP address mismatch)' }
    : { status: 'fail', why: 'failed (no matching addresses)' }
}
