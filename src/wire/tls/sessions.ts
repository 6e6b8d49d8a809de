/**
 * TLS sessions of outgoing connections that may go on later, in memory: what decrypts a session is not written to
 * disk. Source: Exim manual, "TLS Resumption"; RFC 8446 section 4.6.1 (a ticket lives at most a week; here two hours).
 */

export interface KeptSession {
  readonly session: Buffer
  /** The verdicts of the full handshake: a resumed one shows neither chain nor proof. */
  readonly verified: boolean
  readonly ocsp: number
  /** Until when the proof is good. */
  readonly ocspUntil: number
  readonly issuedAt: number
}

export interface TlsSessions {
  take(key: string): KeptSession | undefined
  keep(key: string, session: KeptSession): void
}

const longestMs = 2 * 3_600_000
const most = 1000

export function createTlsSessions(now: () => number): TlsSessions {
  const sessions = new Map<string, KeptSession>()
  return {
    take(key) {
      const found = sessions.get(key)
      if (found === undefined) return undefined
      // RFC 8446 appendix C.4: a ticket is used once. Who may use it again keeps it again.
      sessions.delete(key)
      return now() - found.issuedAt > longestMs ? undefined : found
    },
    keep(key, session) {
      sessions.delete(key)
      sessions.set(key, session)
      for (const oldest of sessions.keys()) {
        if (sessions.size <= most) break
        sessions.delete(oldest)
      }
    },
  }
}
