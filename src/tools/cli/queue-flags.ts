/** What `-q`, `-R`, `-S` and the letters after them ask for. Source: Exim manual, "-q", "-R", "-S". */
import { compileRegex } from '../../base/regex.ts'
import { isMessageId } from '../../base/message-id.ts'
import type { RunRequest } from '../../server/queue.ts'
import { parseInterval } from '../../base/interval.ts'
import type { Invocation } from './parse.ts'

export interface QueueRunFlags {
  readonly request: RunRequest
  /** Seconds between runs; undefined: one run. */
  readonly everySeconds: number | undefined
}

export type QueueFlagsResult =
  | { readonly is: 'flags'; readonly flags: QueueRunFlags }
  | { readonly is: 'none' }
  | { readonly is: 'wrong'; readonly message: string }

export function queueRunFlags(invocation: Invocation): QueueFlagsResult {
  const selects = [
    ['recipient', lastOf(invocation, ['-R', '-qR'])],
    ['sender', lastOf(invocation, ['-S', '-qS'])],
  ] as const
  const plain = invocation.flags.filter(({ flag }) => flag === '-q')
  if (selects.every(([, flag]) => flag === undefined) && plain.length === 0) return { is: 'none' }
  let request: RunRequest = { force: false, thaw: false, firstOnly: false, localOnly: false, twoStage: false }
  let everySeconds: number | undefined
  let ids: readonly string[] = []
  let isTimed = false
  const chosen: string[] = []
  for (const { value, rest } of plain) {
    const letters = /^(q?)(i?)(f{0,2})(l?)(?:G([^/]*)\/?)?(.*)$/.exec(value ?? '')
    const time = letters?.[6] ?? ''
    // A time may stand in the next argument: -q 30m.
    const next = rest[0] !== undefined && !isMessageId(rest[0]) ? rest[0] : undefined
    if (next === undefined && rest.length > 0) ids = rest
    const text = next ?? time
    if (text !== '') {
      everySeconds = parseInterval(text)
      if (everySeconds === undefined || everySeconds <= 0) {
        return {
          is: 'wrong',
          message: `${invocation.calledAs}: bad time value ${next ?? `-q${value}`}: abandoned`,
        }
      }
    }
    request = {
      ...request,
      twoStage: letters?.[1] === 'q',
      firstOnly: letters?.[2] === 'i',
      force: (letters?.[3] ?? '') !== '',
      thaw: letters?.[3] === 'ff',
      localOnly: letters?.[4] === 'l',
      queueName: letters?.[5],
    } as RunRequest // exactOptionalPropertyTypes: `queueName` may be undefined here
    isTimed = time !== ''
  }
  for (const [kind, select] of selects) {
    if (select === undefined) continue
    const letters = select.value ?? ''
    const [text] = select.rest
    if (text === undefined) {
      return { is: 'wrong', message: `${invocation.calledAs}: string expected after ${select.flag}` }
    }
    const matches = matcher(text, letters.startsWith('r'))
    if (matches === undefined) {
      return { is: 'wrong', message: `${invocation.calledAs}: "${text}" is not a regular expression` }
    }
    request = {
      ...request,
      force: letters.includes('f') || request.force,
      thaw: letters.includes('ff') || request.thaw,
      [kind]: matches,
    }
    chosen.push(`-${kind === 'recipient' ? 'R' : 'S'}${letters.startsWith('r') ? 'r' : ''} ${text}`)
  }
  const described = [isTimed ? '' : lettersOf(request), ...chosen].filter((word) => word !== '').join(' ')
  if (described !== '') request = { ...request, described }
  const daemon = invocation.mode === 'daemon'
  if ((daemon && everySeconds === undefined) || invocation.args.length > 0) {
    return {
      is: 'wrong',
      message: `${invocation.calledAs}: incompatible command-line options or arguments`,
    }
  }
  const [from, to] = ids
  if (from !== undefined) request = { ...request, from }
  if (to !== undefined) request = { ...request, to }
  return { is: 'flags', flags: { request, everySeconds } }
}

type Flag = Invocation['flags'][number]

function lastOf({ flags }: Invocation, names: readonly string[]): Flag | undefined {
  return flags.findLast(({ flag }) => names.includes(flag))
}

/** As the log tells it: `-qff`, by whichever flag the letters came; nothing for a plain run. */
function lettersOf({ twoStage, firstOnly, force, thaw, localOnly }: RunRequest): string {
  const letters = `${twoStage ? 'q' : ''}${firstOnly ? 'i' : ''}${thaw ? 'ff' : force ? 'f' : ''}${localOnly ? 'l' : ''}`
  return letters === '' ? '' : `-q${letters}`
}

function matcher(text: string, regularExpression: boolean): ((address: string) => boolean) | undefined {
  if (!regularExpression) {
    const wanted = text.toLowerCase()
    return (address) => address.toLowerCase().includes(wanted)
  }
  const pattern = compileRegex(text, { caseless: true })
  if ('error' in pattern) return undefined
  return (address) => {
    const match = pattern.match(address)
    return match !== undefined && !('error' in match)
  }
}
