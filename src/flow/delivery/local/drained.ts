/** Waits until a program has taken what it was written, or is gone. */
export function drained(stdin: NodeJS.WritableStream): Promise<void> {
  return new Promise<void>((resolve) => {
    const go = (): void => {
      stdin.off('drain', go)
      stdin.off('close', go)
      resolve()
    }
    stdin.on('drain', go)
    stdin.on('close', go)
  })
}
