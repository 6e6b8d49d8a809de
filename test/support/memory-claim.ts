/** A spooled message and its claim in memory, for tests of delivery. */
import type { Envelope } from '../../src/mail/envelope.ts'
import type { Claim, MessageUpdate, SpooledMessage } from '../../src/store/spool/api.ts'

export class MemoryClaim implements Claim {
  readonly id: string
  readonly message: SpooledMessage
  readonly updates: MessageUpdate[] = []
  readonly notes: string[] = []
  state: 'held' | 'completed' | 'released' = 'held'

  constructor(envelope: Envelope, body: string) {
    const bytes = Buffer.from(body, 'latin1')
    this.id = envelope.id
    const current = (): Envelope => this.envelope
    this.message = {
      id: envelope.id,
      get envelope() {
        return current()
      },
      bodySize: bytes.length,
      async *body(start = 0) {
        for (let at = start; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
      },
      smallBody: () => (bytes.length <= 65_536 ? bytes : undefined),
    }
    this.envelope = envelope
  }

  envelope: Envelope

  async record(update: MessageUpdate): Promise<void> {
    if (this.state !== 'held') throw new Error('record after the end')
    this.updates.push(update)
    const { frozenAt, done, nextAttemptAt: _next, reason: _reason, extra, ...rest } = update
    const { frozenAt: frozenBefore, ...before } = this.envelope
    const frozen = frozenAt === undefined ? frozenBefore : (frozenAt ?? undefined)
    this.envelope = {
      ...before,
      ...rest,
      done: [...this.envelope.done, ...(done ?? [])],
      ...(extra === undefined ? {} : { extra }),
      ...(frozen === undefined ? {} : { frozenAt: frozen }),
    }
  }

  log(line: string): void {
    this.notes.push(line)
  }

  async complete(): Promise<void> {
    if (this.state !== 'held') throw new Error('complete after the end')
    this.state = 'completed'
  }

  release(): void {
    if (this.state !== 'held') throw new Error('release after the end')
    this.state = 'released'
  }

  /** Takes it again for another attempt. */
  again(): void {
    this.state = 'held'
  }
}

/** An envelope with what a test does not care about filled in. */
export function envelopeOf(
  parts: Partial<Envelope> & { readonly recipients: Envelope['recipients'] },
): Envelope {
  return {
    id: '1xVgS4-0002Wu-2T',
    receivedAt: Date.now(),
    receiveMs: 1,
    originator: { login: 'root', uid: 0, gid: 0 },
    sender: 'a@send.test',
    headers: [
      { type: 'P', text: 'Received: from here by there; Tue, 24 Nov 2026 02:40:12 +0000\n' },
      { type: ' ', text: 'Subject: hi\n' },
      { type: 'I', text: 'Message-Id: <E1xVgS4-0002Wu-2T@mta.example>\n' },
      { type: 'F', text: 'From: a@send.test\n' },
      { type: ' ', text: 'Date: Tue, 24 Nov 2026 02:40:12 +0000\n' },
    ],
    protocol: 'local',
    local: true,
    bodyLines: 2,
    bodyZeros: 0,
    bodySize: 15,
    maxReceivedLineLength: 40,
    firstDelivery: true,
    done: [],
    ...parts,
  }
}

export class Death extends Error {}

/** A spool whose process dies at a write: after `left` more, the last one `written` or not. */
export class MortalClaim extends MemoryClaim {
  left = Number.POSITIVE_INFINITY
  written = true

  override async record(update: MessageUpdate): Promise<void> {
    if (this.left-- > 0) return super.record(update)
    if (this.left < -1) throw new Death()
    if (this.written) await super.record(update)
    throw new Death()
  }
}
