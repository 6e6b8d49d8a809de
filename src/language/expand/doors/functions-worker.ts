/** The thread in which the functions of `functions_file` run. What a function must look like is told in the guide. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FunctionResult, FunctionValue } from './doors.ts'

export interface FunctionsStart {
  readonly url: string
}
export interface FunctionQuestion {
  readonly id: number
  readonly name: string
  readonly values: readonly FunctionValue[]
}
export type FunctionAnswer =
  | { readonly id: number; readonly is: 'started'; readonly limitMs: number }
  | (FunctionResult & { readonly id: number })

/** An exported function, or an object that declares more about it. */
interface Declared {
  readonly least: number
  readonly most: number
  readonly limitMs: number
  readonly trusted: boolean
  readonly call: (...values: unknown[]) => unknown
}

const longestMs = 60_000
const usualMs = 1_000
const port = parentPort
// Only `functions.ts` starts this file.
const { url } = workerData as FunctionsStart
const loaded = import(url).then(
  (module: object): { readonly exports: Readonly<Record<string, unknown>> } => ({
    exports: Object.fromEntries(Object.entries(module)),
  }),
  (error: unknown): { readonly problem: string } => ({ problem: messageOf(error) }),
)

port?.on('message', (question: FunctionQuestion) => {
  void answer(question)
})

async function answer(question: FunctionQuestion): Promise<void> {
  const reply = (result: FunctionResult): void => port?.postMessage({ ...result, id: question.id })
  const file = await loaded
  if ('problem' in file) return reply({ is: 'failed', message: file.problem })
  const { name, values } = question
  const exported = Object.hasOwn(file.exports, name) ? file.exports[name] : undefined
  const declared = declarationOf(exported)
  if (declared === undefined)
    return reply({ is: 'failed', message: `functions_file exports no function of that name` })
  const { least, most } = declared
  if (values.length < least || values.length > most) {
    const wanted = least === most ? String(least) : `${least} to ${most}`
    return reply({ is: 'failed', message: `it takes ${wanted} arguments, and got ${values.length}` })
  }
  port?.postMessage({ id: question.id, is: 'started', limitMs: declared.limitMs })
  try {
    const result = await declared.call(
      ...values.map(({ text }) => Buffer.from(text, 'latin1').toString('utf8')),
      { values },
    )
    reply(resultOf(result, declared.trusted))
  } catch (error) {
    reply({ is: 'failed', message: messageOf(error) })
  }
}

function declarationOf(exported: unknown): Declared | undefined {
  if (typeof exported === 'function') {
    // What is exported as a function takes any values; its answer is looked at before it is used.
    const call = exported as Declared['call']
    return { least: call.length, most: call.length, limitMs: usualMs, trusted: false, call }
  }
  if (typeof exported !== 'object' || exported === null) return undefined
  const fields = exported as Readonly<Record<string, unknown>>
  const { call, trusted, timeoutMs } = fields
  if (typeof call !== 'function') return undefined
  const count = fields['arguments']
  const [least, most] = Array.isArray(count) ? (count as unknown[]) : [count, count]
  if (typeof least !== 'number' || typeof most !== 'number') return undefined
  return {
    least,
    most,
    limitMs: typeof timeoutMs === 'number' ? Math.min(Math.max(1, timeoutMs), longestMs) : usualMs,
    trusted: trusted === true,
    call: (...values) => Reflect.apply(call, exported, values) as unknown,
  }
}

function resultOf(result: unknown, trusted: boolean): FunctionResult {
  if (result === undefined || result === null) return { is: 'nothing' }
  if (result instanceof Uint8Array)
    return { is: 'value', text: Buffer.from(result).toString('latin1'), trusted }
  if (typeof result === 'string' || typeof result === 'number' || typeof result === 'boolean')
    return { is: 'value', text: Buffer.from(String(result), 'utf8').toString('latin1'), trusted }
  return { is: 'failed', message: 'it gave neither a text, a number, a boolean nor bytes' }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
