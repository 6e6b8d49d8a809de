/**
 * What SIGUSR1 asks for: a line in the process log that says what this process does, as exiwhat expects.
 * A door: it appends to a file.
 * Source: Exim manual, "Finding out what Exim processes are doing (exiwhat)".
 */
import { appendFileSync } from 'node:fs'

export class ProcessState {
  #text = 'initializing'
  #path: string | undefined
  #told: ((line: string) => void) | undefined

  /** Says what this process does now. */
  describe(text: string): void {
    this.#text = text
    this.#told?.(`set_process_info: ${process.pid} ${text}`)
  }

  /** `-d+process_info`. */
  tell(told: (line: string) => void): void {
    this.#told = told
  }

  /** `process_log_path`: known once the configuration is read. */
  writeTo(path: string): void {
    this.#path = path
  }

  /** Appends the line; without a path known yet there is nowhere to tell it. */
  report(): void {
    if (this.#path === undefined) return
    try {
      const line = `${String(process.pid).padStart(5)} ${this.#text}\n`
      appendFileSync(this.#path, line, { mode: 0o640 })
    } catch {
      // Whoever asked sees that this process gave no answer; there is nothing else to tell it with.
    }
  }
}
