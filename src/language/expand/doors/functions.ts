/**
 * The functions of `functions_file`, which `${fn` calls. They run in a thread of their own, so that one that never
 * ends can be stopped; the thread is made anew then.
 */
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FunctionCall, FunctionResult } from './doors.ts'
import type { FunctionAnswer, FunctionQuestion, FunctionsStart } from './functions-worker.ts'

/** Most calls under way. */
const mostCalls = 10_000
/** What a function may take when it says nothing itself, and at most. */
export const usualLimitMs = 1_000

interface Waiting {
  readonly question: FunctionQuestion
  readonly settle: (result: FunctionResult) => void
  timer: NodeJS.Timeout
  started: boolean
}

interface Host {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
}

export interface Functions {
  call(call: FunctionCall): Promise<FunctionResult>
  close(): void
}

export function createFunctions(): Functions {
  const hosts = new Map<string, Host>()
  let lastId = 0

  function hostOf(file: string): Host {
    const known = hosts.get(file)
    if (known !== undefined) return known
    const start: FunctionsStart = { url: pathToFileURL(file).href }
    const worker = new Worker(new URL('functions-worker.js', import.meta.url), {
      workerData: start,
      // What a function prints does not get into SMTP sessions on stdout.
      stdout: true,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
    const host: Host = { worker, waiting: new Map() }
    hosts.set(file, host)
    worker.on('message', (answer: FunctionAnswer) => {
      const waiting = host.waiting.get(answer.id)
      if (waiting === undefined) return
      if (answer.is === 'started') {
        waiting.started = true
        clearTimeout(waiting.timer)
        waiting.timer = setTimeout(() => overdue(file, host, answer.id), answer.limitMs)
        return
      }
      finish(host, answer.id, answer)
    })
    worker.on('error', (error) => drop(file, host, error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => drop(file, host, 'the thread of the functions ended'))
    worker.unref()
    return host
  }

  function finish(host: Host, id: number, result: FunctionResult): void {
    const waiting = host.waiting.get(id)
    if (waiting === undefined) return
    host.waiting.delete(id)
    clearTimeout(waiting.timer)
    waiting.settle(result)
    if (host.waiting.size === 0) host.worker.unref()
  }

  /** All that was begun fails; what still stood in line goes to a new thread. */
  function overdue(file: string, host: Host, id: number): void {
    finish(host, id, { is: 'failed', message: 'it took too long' })
    if (hosts.get(file) === host) hosts.delete(file)
    host.worker.removeAllListeners()
    void host.worker.terminate()
    for (const [each, waiting] of host.waiting) {
      clearTimeout(waiting.timer)
      if (waiting.started) waiting.settle({ is: 'failed', message: 'another function took too long' })
      else send(file, each, waiting.question, waiting.settle)
    }
    host.waiting.clear()
  }

  function drop(file: string, host: Host, message: string): void {
    if (hosts.get(file) === host) hosts.delete(file)
    host.worker.removeAllListeners()
    for (const { settle, timer } of host.waiting.values()) {
      clearTimeout(timer)
      settle({ is: 'failed', message })
    }
    host.waiting.clear()
  }

  function send(
    file: string,
    id: number,
    question: FunctionQuestion,
    settle: (result: FunctionResult) => void,
  ): void {
    const host = hostOf(file)
    if (host.waiting.size >= mostCalls) {
      settle({ is: 'failed', message: 'too many calls under way' })
      return
    }
    // Loading the file and waiting in line have a limit too.
    const timer = setTimeout(() => overdue(file, host, id), 10_000)
    host.waiting.set(id, { question, settle, timer, started: false })
    host.worker.ref()
    host.worker.postMessage(question)
  }

  return {
    call: ({ file, name, values }) =>
      new Promise((resolve) => {
        const id = ++lastId
        send(file, id, { id, name, values }, resolve)
      }),
    close() {
      for (const { worker } of hosts.values()) void worker.terminate()
      hosts.clear()
    },
  }
}
