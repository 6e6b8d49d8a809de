/** What TLS of incoming connections keeps between them, for a process. */
import { createTlsContexts } from '../wire/tls/contexts.ts'
import { createStaples, type Staples } from '../wire/tls/ocsp/staples.ts'
import type { TlsContexts } from '../wire/tls/contexts.ts'
import { type SelfMadeCertificates, selfMadeCertificates } from '../wire/tls/self-made.ts'
import type { OcspKeeper } from './ocsp-keeper.ts'
import { createTicketKeys } from './ticket-keys.ts'

export interface TlsRoom {
  readonly contexts: TlsContexts
  readonly staples: Staples
  readonly selfMade: SelfMadeCertificates
  /** `tls_ocsp_fetch`; undefined where there is no daemon. */
  readonly keeper?: OcspKeeper | undefined
  /** The key of session tickets now, 48 bytes in base 64. */
  ticketKey(): string
}

export function createTlsRoom(log: (line: string) => void, keeper?: OcspKeeper): TlsRoom {
  return {
    keeper,
    contexts: createTlsContexts(),
    selfMade: selfMadeCertificates(Date.now),
    staples: createStaples({ now: Date.now, log }),
    ticketKey: createTicketKeys(Date.now),
  }
}
