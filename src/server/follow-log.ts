/** What is appended to the main log from now on. A door: it reads that file. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { resolvePath } from './log-files.ts'

export interface LogFollower {
  /** The first answer to a line that comes within the limit; then it is closed. */
  until<T>(answer: (line: string) => T | undefined, limitMs: number): Promise<T | undefined>
  close(): void
}

const lookEveryMs = 50
const pieceBytes = 65_536

/** Undefined when the log goes to no file. */
export function followLog(
  paths: readonly string[],
  clock: { readonly utc: boolean; now(): number },
): LogFollower | undefined {
  const template = paths.find((path) => path.startsWith('/'))
  if (template === undefined) return undefined
  const buffer = Buffer.alloc(pieceBytes)
  let fd: number | undefined
  let at = 0
  let rest = ''

  /** Opens the file when it was not there before, or when it was renamed and made anew. */
  function look(fromStart: boolean): void {
    const path = resolvePath(template ?? '', 'main', clock)
    try {
      if (fd !== undefined && fstatSync(fd).ino === statSync(path).ino) return
      close()
      fd = openSync(path, 'r')
      at = fromStart ? 0 : fstatSync(fd).size
    } catch {
      // It comes with its first line.
    }
  }
  function lines(): string[] {
    if (fd === undefined) return []
    const got = readSync(fd, buffer, 0, pieceBytes, at)
    at += got
    const parts = (rest + buffer.toString('latin1', 0, got)).split('\n')
    rest = parts.pop() ?? ''
    return parts
  }
  function close(): void {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }

  look(false)
  return {
    close,
    async until(answer, limitMs) {
      const end = performance.now() + limitMs
      try {
        while (performance.now() < end) {
          for (let some = lines(); some.length > 0; some = lines()) {
            for (const line of some) {
              const found = answer(line)
              if (found !== undefined) return found
            }
          }
          look(true)
          await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
        }
        return undefined
      } finally {
        close()
      }
    },
  }
}
