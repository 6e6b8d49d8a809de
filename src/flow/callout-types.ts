/** What routing asks of delivery when an address is to be verified at its host: types only. */
import type { TransportInstance } from '../language/config/configuration.ts'
import type { CalloutOptions } from '../policy/acl/verify/callout-options.ts'
import type { QuotaOptions } from '../policy/acl/verify/quota-options.ts'
import type { Context, VerifyResult } from '../ports.ts'
import type { RoutedAddress } from './routed.ts'

/** An address as the routers left it; a router that only verifies names no transport. */
export type CalloutTarget = Omit<RoutedAddress, 'transport'> & {
  readonly transport: TransportInstance | undefined
}

/** Asks the hosts of an address whether they would take it. */
export type Callout = (
  target: CalloutTarget,
  kind: 'recipient' | 'sender',
  options: CalloutOptions,
  context: Context,
) => Promise<VerifyResult>

/** Looks whether the mailbox of a local address has room. */
export type QuotaCheck = (
  target: CalloutTarget,
  options: QuotaOptions,
  context: Context,
) => Promise<VerifyResult>
