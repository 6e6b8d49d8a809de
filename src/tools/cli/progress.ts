/** Progress on standard error for work that takes more than a second, where a person looks. */
import type { Terminal } from './terminal.ts'

const firstAfterMs = 1000
const everyMs = 250

export interface Progress {
  /** So many are done. */
  readonly at: (done: number) => void
  /** Wipes the line. */
  readonly end: () => void
}

/** For what cannot be counted: how long it is waited for. */
export function waiting(terminal: Terminal, what: string): { end(): void } {
  if (terminal.watched !== true) return { end: () => undefined }
  const began = Date.now()
  let shown = 0
  const timer = setInterval(() => {
    const ms = Date.now() - began
    if (ms < firstAfterMs) return
    const text = `${what}: ${Math.floor(ms / 1000)} s`
    terminal.err(`\r${text}`)
    shown = text.length
  }, everyMs)
  timer.unref()
  return {
    end() {
      clearInterval(timer)
      if (shown > 0) terminal.err(`\r${' '.repeat(shown)}\r`)
      shown = 0
    },
  }
}

/** @param total undefined: not known */
export function progress(terminal: Terminal, what: string, total?: number): Progress {
  const began = Date.now()
  let last = 0
  let shown = 0
  return {
    at(done) {
      const now = Date.now()
      if (terminal.watched !== true || now - began < firstAfterMs || now - last < everyMs) return
      last = now
      const share =
        total === undefined || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)}%)`
      const seconds = (now - began) / 1000
      const text = `${what}: ${done}${share}, ${Math.round(done / seconds)} a second`
      terminal.err(`\r${text.padEnd(shown)}`)
      shown = text.length
    },
    end() {
      if (shown > 0) terminal.err(`\r${' '.repeat(shown)}\r`)
      shown = 0
    },
  }
}
