/** The dialogue with a host, for an explanation: each command with its answer, and what became of TLS. */
import type { ByteString } from '../../../base/text.ts'
import type { TlsFacts, Trace } from '../../../ports.ts'
import type { Broken, DialogueWatch } from '../../../wire/smtp/client.ts'

/** More commands, those of thousands of recipients, stand there only when they are refused. */
const mostSteps = 60
const mostRefusals = 60

interface Unanswered {
  readonly said: ByteString
  readonly step: Trace | undefined
}

export class DialogueSteps implements DialogueWatch {
  readonly #trace: Trace
  readonly #unanswered: Unanswered[] = []
  #steps = 0
  #refusals = 0
  #leftOut = 0
  #last = ''
  /** Why the host was not spoken to. */
  why: ByteString | undefined

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** A connection is being made: the greeting will answer. */
  connecting(): void {
    this.#say('(connects)')
  }

  /** It has failed before, and it is not time to try again. */
  notTried({ is, until }: { readonly is: 'waiting' | 'expired'; readonly until: number }): void {
    const next = `next try ${new Date(until).toISOString().slice(0, 19)}Z`
    const long = is === 'expired' ? 'has failed for too long, ' : ''
    this.why = `not tried: ${long}retry time not reached (${next})`
  }

  /** A connection from a message before goes on. */
  goesOn(messages: number): void {
    this.#trace.note('sent', '(goes on with an open connection)', `messages sent over it so far: ${messages}`)
  }

  sent(lines: readonly ByteString[]): void {
    for (const line of lines) if (line !== '.') this.#say(line)
  }

  message(): void {
    // After BDAT the answer is to that.
    if (this.#last !== theMessage && !this.#last.startsWith('BDAT ')) this.#say(theMessage)
  }

  received(reply: ByteString): void {
    const { said, step } = this.#unanswered.shift() ?? { said: this.#last, step: undefined }
    // What AUTH brings is for nobody.
    const shown = reply.startsWith('334') ? '334 ****' : reply
    if (step !== undefined) step.end(shown)
    else if (/^[45]/.test(reply) && this.#refusals++ < mostRefusals) this.#trace.note('sent', said, shown)
    else this.#leftOut++
  }

  broken(why: Broken): void {
    this.gaveUp(wordsOf(why))
  }

  /** No answer comes to what was said. */
  gaveUp(why: ByteString): void {
    for (const { step } of this.#unanswered.splice(0)) step?.end(`(${why})`)
  }

  encrypted(facts: TlsFacts): void {
    const { cipher, certificateVerified, peerDn, dane } = facts
    const proof = dane === true ? 'verified by DANE' : certificateVerified ? 'verified' : 'not verified'
    const name = peerDn === '' ? '' : ` of ${peerDn}`
    this.#trace.note('tls', 'TLS', `${cipher}, certificate${name} ${proof}`)
  }

  unencrypted(why: string): void {
    this.#trace.note('tls', 'TLS', `failed: ${why}`)
  }

  /** Says what is not shown. */
  over(): void {
    if (this.#leftOut > 0)
      this.#trace.note('sent', `(${this.#leftOut} more commands that were not refused)`, '')
    this.#leftOut = 0
  }

  #say(said: ByteString): void {
    this.#last = said
    const step = this.#steps++ < mostSteps ? this.#trace.begin('sent', said) : undefined
    this.#unanswered.push({ said, step })
  }
}

const theMessage = '(the message)'

function wordsOf(why: Broken): ByteString {
  switch (why.is) {
    case 'timeout':
      return 'no answer in time'
    case 'closed':
      return 'the connection was closed'
    case 'error':
      return why.error.message
    case 'malformed':
      return `no SMTP reply: ${why.text}`
  }
}
