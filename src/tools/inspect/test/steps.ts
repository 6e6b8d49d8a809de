/** The client of a test: says its steps, and knows which reply belongs to which. */
import type { Exchange, Said, Script } from '../../../server/play.ts'
import type { Step } from './test-case.ts'

/** Says the steps of a test one after the other. */
export class Steps {
  /** The step of an exchange, by its number. */
  readonly of = new Map<number, Step>()
  readonly #steps: Step[]
  readonly #stops: boolean
  readonly #pass: (milliseconds: number) => void
  #data: Extract<Step, { is: 'command' | 'message' }> | undefined
  #quit = false

  constructor(steps: readonly Step[], stops: boolean, pass: (milliseconds: number) => void) {
    this.#steps = [...steps]
    this.#stops = stops
    this.#pass = pass
  }

  /** Steps with an expectation to which it did not come. */
  get left(): Step[] {
    return this.#stops ? [] : this.#steps.filter((step) => step.is !== 'wait' && step.expect !== undefined)
  }

  readonly script: Script = (exchanges) => {
    const last = exchanges.at(-1)
    // A step before any command expects something of the banner.
    const [first] = this.#steps
    if (exchanges.length === 1 && first?.is === 'command' && first.text === '') {
      this.of.set(0, first)
      this.#steps.shift()
    }
    if (this.#data !== undefined) {
      const step = this.#data
      this.#data = undefined
      if (last?.reply.startsWith('354') === true)
        return this.#say(exchanges, step, { is: 'message', text: step.text })
      this.of.set(exchanges.length - 1, step)
    }
    const step = this.#next(exchanges)
    if (step === undefined) return this.#goodbye(last)
    if (step.is === 'command') return this.#say(exchanges, step, { is: 'command', text: step.text })
    // After DATA or BDAT of the test's own the message comes as it is.
    if (last?.reply.startsWith('354') === true)
      return this.#say(exchanges, step, { is: 'message', text: step.text })
    this.#data = step
    return { is: 'command', text: 'DATA' }
  }

  #say(exchanges: readonly Exchange[], step: Step, said: Said): Said {
    this.of.set(exchanges.length, step)
    return said
  }

  #next(exchanges: readonly Exchange[]): Extract<Step, { is: 'command' | 'message' }> | undefined {
    for (;;) {
      const step = this.#steps.shift()
      if (step === undefined) return undefined
      if (step.is === 'wait') this.#pass(step.milliseconds)
      else if (!this.#stops || mayGoOn(exchanges, step)) return step
    }
  }

  #goodbye(last: Exchange | undefined): Said | undefined {
    if (this.#quit || last === undefined || last.reply.startsWith('421') || /^QUIT$/i.test(last.command))
      return undefined
    this.#quit = true
    return { is: 'command', text: 'QUIT' }
  }
}

/** A client in the short form asks for each recipient, and sends a message when one was accepted. */
function mayGoOn(
  exchanges: readonly Exchange[],
  step: Extract<Step, { is: 'command' | 'message' }>,
): boolean {
  const recipients = exchanges.filter(({ command }) => command.startsWith('RCPT'))
  if (step.is === 'message') return recipients.some(({ reply }) => reply.startsWith('2'))
  const before = exchanges.filter(({ command }) => !command.startsWith('RCPT'))
  return before.every(({ reply }) => /^[23]/.test(reply))
}
