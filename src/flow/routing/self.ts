/** What happens when the first host turns out to be this one. Source: Exim manual, router option "self". */
import type { ByteString } from '../../base/text.ts'
import type { RouterVerdict, RouterWork } from './types.ts'

const message = 'remote host address is the local host'

/** @returns undefined when the hosts are to be used all the same (`self = send`) */
export function selfVerdict(hostName: ByteString, work: RouterWork): RouterVerdict | undefined {
  const { self } = work.router.settings
  if (self === 'send') return undefined
  if (self === 'pass') return { is: 'pass', selfHostname: hostName }
  if (self === 'fail') return { is: 'fail', message }
  const reroute = /^reroute:\s*(rewrite:)?\s*(\S+)$/.exec(self)
  if (reroute !== null) {
    return { is: 'reroute', domain: reroute[2] ?? '', rewriteHeaders: reroute[1] !== undefined }
  }
  const { context, facts, candidate } = work
  const text = `${message}: ${facts.domain} (while routing <${candidate.address}>)`
  context.ports.log.main(context.message?.id, text, { event: 'routing' })
  return { is: 'defer', message, freeze: self === 'freeze' }
}
