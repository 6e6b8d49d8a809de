/** MTA-STS of the domain that mail goes to: what it means for one host. Source: RFC 8461 sections 4.1, 5. */
import { Failure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import type { TlsResultType } from '../../../wire/tls/handshake.ts'
import { expanded } from '../expanding.ts'
import { findStsPolicy } from '../sts/find-policy.ts'
import { stsAllows } from '../sts/policy.ts'
import type { DaneState } from './smtp-dane.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'

export type StsState =
  | { readonly is: 'none' }
  | {
      readonly is: 'policy'
      readonly mode: 'enforce' | 'testing'
      readonly lines: readonly string[]
      readonly mx: readonly string[]
      /** Under `testing`: the host is not one that the policy names. */
      readonly otherHost: boolean
    }
  /** The policy could not be had: nothing is enforced, reports tell. */
  | { readonly is: 'missing'; readonly why: string; readonly result: TlsResultType }
  | {
      readonly is: 'failed'
      readonly problem: string
      readonly result: TlsResultType
      readonly lines: readonly string[]
      readonly mx: readonly string[]
    }

export async function stsFor(
  place: Place,
  settings: SmtpSettings,
  context: Context,
  dane: DaneState,
): Promise<StsState> {
  // Section 2: where DANE is in force, it decides.
  if (!settings.mta_sts || dane.is !== 'none') return { is: 'none' }
  const domain = context.address?.domain ?? ''
  // A host that the configuration chose is none of the domain's.
  if (domain === '' || !(place.mx || place.name.toLowerCase() === domain.toLowerCase())) return { is: 'none' }
  const trust = await expanded(settings.tls_verify_certificates, context)
  const file = trust === undefined || trust instanceof Failure ? 'system' : textOf(trust)
  const search = await findStsPolicy(domain, file === '' ? 'system' : file, context)
  if (search.is === 'none') return search
  if (search.is === 'failed') return { is: 'missing', why: search.why, result: search.result }
  const { policy, lines } = search.found
  if (policy.mode === 'none') return { is: 'none' }
  const allowed = stsAllows(policy, place.name)
  if (!allowed && policy.mode === 'enforce') {
    const problem = `the MTA-STS policy of ${domain} does not name the host ${place.name}`
    return { is: 'failed', problem, result: 'validation-failure', lines, mx: policy.mx }
  }
  return { is: 'policy', mode: policy.mode, lines, mx: policy.mx, otherHost: !allowed }
}
