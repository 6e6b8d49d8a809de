/** What happens when the first host turns out to be this one. Source: Exim manual, router option "self". */
import { fullHost } from '../../mail/log-lines.ts'
import type { RouteHost } from '../routed.ts'
import type { RouterVerdict, RouterWork } from './types.ts'

/** @returns undefined when the hosts are to be used all the same (`self = send`) */
export function selfVerdict(
  host: Pick<RouteHost, 'name' | 'mx'>,
  work: RouterWork,
): RouterVerdict | undefined {
  const { self } = work.router.settings
  if (self === 'send') return undefined
  if (self === 'pass') return { is: 'pass', selfHostname: host.name }
  const message =
    host.mx === undefined
      ? 'remote host address is the local host'
      : 'lowest numbered MX record points to local host'
  if (self === 'fail') return { is: 'fail', message }
  const reroute = /^reroute:\s*(rewrite:)?\s*(\S+)$/.exec(self)
  if (reroute !== null) {
    return { is: 'reroute', domain: reroute[2] ?? '', rewriteHeaders: reroute[1] !== undefined }
  }
  if (self === 'defer') return { is: 'defer', message }
  const { context, facts, purpose } = work
  const when = purpose === 'deliver' ? '' : ` (while ${occasion(work)})`
  context.ports.log.main(context.message?.id, `${message}: ${facts.domain}${when}`, { event: 'routing' })
  return { is: 'defer', message, freeze: true }
}

/** What the address is routed for. */
function occasion({ purpose, candidate, context }: RouterWork): string {
  const { connection } = context
  if (!purpose.startsWith('verify') || connection?.hostAddress === undefined)
    return `routing <${candidate.address}>`
  return `verifying <${candidate.address}> from host ${fullHost(connection, context.ports.log.selects('incoming_port'))}`
}
