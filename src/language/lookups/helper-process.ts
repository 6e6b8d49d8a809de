/**
 * A process of its own for a library that works synchronously or may crash: what runs away or dies there is ended
 * and started anew, and the lookups that waited for it defer.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface HelperProcess<Answer> {
  /** The question gets an `id`, which the answer carries. */
  ask(question: object, limitMs: number): Promise<Answer>
  readonly waiting: () => number
  end(): void
}

interface Waiting<Answer> {
  readonly settle: (answer: Answer) => void
  readonly timer: NodeJS.Timeout
}

/**
 * @param file of the program, beside this one
 * @param failed makes an answer of a problem
 * @param ended is told when the process is not to be asked again
 */
export function createHelperProcess<Answer extends { readonly id: number }>(
  file: string,
  start: object,
  failed: (id: number, message: string) => Answer,
  ended: () => void,
): HelperProcess<Answer> {
  const waiting = new Map<number, Waiting<Answer>>()
  let next = 0
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(start)], {
    env: {},
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  /** An idle helper does not keep the process alive. */
  const hold = (busy: boolean): void => {
    const channel = child.channel
    if (busy) {
      child.ref()
      channel?.ref()
    } else {
      child.unref()
      channel?.unref()
    }
  }
  hold(false)
  const settle = (answer: Answer): void => {
    const one = waiting.get(answer.id)
    if (one === undefined) return
    clearTimeout(one.timer)
    waiting.delete(answer.id)
    if (waiting.size === 0) hold(false)
    one.settle(answer)
  }
  const fail = (message: string): void => {
    ended()
    for (const id of waiting.keys()) settle(failed(id, message))
  }
  // What comes over the channel was sent by the program that was started.
  child.on('message', (answer) => settle(answer as Answer))
  child.on('error', (error) => fail(error.message))
  child.on('exit', () => fail('the database process ended'))
  return {
    ask(question, limitMs) {
      const id = next++
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          settle(failed(id, `no result within ${limitMs} ms`))
          ended()
          child.kill('SIGKILL')
        }, limitMs)
        waiting.set(id, { settle: resolve, timer })
        hold(true)
        child.send({ ...question, id }, (error) => {
          if (error !== null) settle(failed(id, error.message))
        })
      })
    },
    waiting: () => waiting.size,
    end: () => void child.kill('SIGKILL'),
  }
}
