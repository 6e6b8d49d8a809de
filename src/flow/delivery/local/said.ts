/**
 * A dialogue that a local delivery had, for an explanation: written down where it is held, under the uid of the recipient, and
 * handed back with the result to the process that explains.
 */
import type { ByteString } from '../../../base/text.ts'
import type { Trace, TraceKind } from '../../../ports.ts'

/** A command and its answer. JSON-able. */
export interface Said {
  readonly said: ByteString
  readonly answer: ByteString
  /** Milliseconds that the answer took. */
  readonly ms: number
}

/** `DialogueSteps` writes no more; whoever holds the dialogue might. */
const mostSaid = 125
const longest = 500

/** Takes the steps of a dialogue. */
export class SaidSteps implements Trace {
  readonly #all: { said: ByteString; answer: ByteString; ms: number }[] = []
  readonly #now: () => number

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get all(): readonly Said[] {
    return this.#all
  }

  begin(_kind: TraceKind, said: ByteString): Trace {
    const step = { said: cut(said), answer: '', ms: 0 }
    if (this.#all.length < mostSaid) this.#all.push(step)
    const began = this.#now()
    return {
      begin: (kind, what) => this.begin(kind, what),
      note: (kind, what, result) => this.note(kind, what, result),
      end: (answer) => {
        step.answer = cut(answer)
        step.ms = Math.round(this.#now() - began)
      },
    }
  }

  note(kind: TraceKind, what: ByteString, result: ByteString): void {
    this.begin(kind, what).end(result)
  }

  end(): void {}
}

/** Writes it into the explanation: after the event, so that a time is told in words. */
export function tellSaid(step: Trace, dialogue: readonly Said[]): void {
  // Cut here too: it comes from a process that runs as the recipient.
  for (const { said, answer, ms } of dialogue.slice(0, mostSaid)) {
    const time = ms > 0 ? `  (after ${ms} ms)` : ''
    step.note('sent', cut(said), `${cut(answer)}${time}`)
  }
}

function cut(text: ByteString): ByteString {
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}
