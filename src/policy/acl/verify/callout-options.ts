/** Options of a callout: `callout=10s,defer_ok,random`. Source: Exim manual, "Additional parameters for callouts". */
import { parseInterval } from '../../../base/interval.ts'
import type { ByteString } from '../../../base/text.ts'

export interface CalloutOptions {
  readonly timeoutSeconds: number
  readonly connectSeconds: number
  /** Looked at before the next host is tried. */
  readonly maxwaitSeconds: number
  readonly deferOk: boolean
  readonly noCache: boolean
  readonly random: boolean
  /** Sender of the postmaster check; undefined: no such check. */
  readonly postmasterFrom: ByteString | undefined
  readonly fullPostmaster: boolean
  /** For `header_sender` only. */
  readonly mailfrom: ByteString | undefined
  readonly useSender: boolean
  readonly usePostmaster: boolean
  readonly hold: boolean
}

export type CalloutParsed =
  | { readonly is: 'none' }
  | { readonly is: 'options'; readonly options: CalloutOptions }
  | { readonly is: 'wrong'; readonly message: string }

type Kind = 'recipient' | 'sender' | 'header'
type Writable = { -readonly [K in keyof CalloutOptions]: CalloutOptions[K] | undefined }

const usualSeconds = 30

/** Reads what belongs to callouts out of the options of a verification. */
export function parseCallout(options: readonly string[], text: string, kind: Kind): CalloutParsed {
  const found: Partial<Writable> = {}
  let asked = false
  for (const option of options) {
    if (option === 'callout_defer_ok') found.deferOk = true
    else if (option === 'check_postmaster') found.postmasterFrom = ''
    else if (option.startsWith('callout')) {
      asked = true
      const wrong = readCallout(option.slice('callout'.length), text, kind, found)
      if (wrong !== undefined) return { is: 'wrong', message: wrong }
    }
  }
  if (!asked) return { is: 'none' }
  const timeoutSeconds = found.timeoutSeconds ?? usualSeconds
  return {
    is: 'options',
    options: {
      timeoutSeconds,
      connectSeconds: found.connectSeconds ?? timeoutSeconds,
      maxwaitSeconds: found.maxwaitSeconds ?? 4 * timeoutSeconds,
      deferOk: found.deferOk ?? false,
      noCache: found.noCache ?? false,
      random: found.random ?? false,
      postmasterFrom: found.postmasterFrom,
      fullPostmaster: found.fullPostmaster ?? false,
      mailfrom: found.mailfrom,
      useSender: found.useSender ?? false,
      usePostmaster: found.usePostmaster ?? false,
      hold: found.hold ?? false,
    },
  }
}

const flags: ReadonlyMap<string, keyof CalloutOptions> = new Map([
  ['defer_ok', 'deferOk'],
  ['no_cache', 'noCache'],
  ['random', 'random'],
  ['use_sender', 'useSender'],
  ['use_postmaster', 'usePostmaster'],
  ['hold', 'hold'],
] as const)

/** Takes `=10s,defer_ok` apart; the sentence when something is wrong in it. */
function readCallout(rest: string, text: string, kind: Kind, found: Partial<Writable>): string | undefined {
  if (rest === '') return undefined
  const equals = /^\s*=\s*/.exec(rest)
  if (equals === null) return `'=' expected after "callout" in ACL condition "${text}"`
  const list = rest.slice(equals[0].length)
  if (list.trim() === '') return undefined
  for (const piece of list.split(',')) {
    const wrong = readPiece(piece.trim(), text, kind, found)
    if (wrong !== undefined) return wrong
  }
  if (kind !== 'recipient' && (found.useSender === true || found.usePostmaster === true)) {
    return 'use_sender or use_postmaster cannot be used for a sender verify callout'
  }
  if (found.useSender === true && found.usePostmaster === true) {
    return 'only one of use_sender and use_postmaster can be set for a recipient callout'
  }
  return undefined
}

function readPiece(piece: string, text: string, kind: Kind, found: Partial<Writable>): string | undefined {
  const [, name = '', equals = '', value = ''] = /^(\w*)\s*(=?)\s*(.*)$/s.exec(piece) ?? []
  const flag = flags.get(name)
  if (flag !== undefined) {
    Object.assign(found, { [flag]: true })
    return undefined
  }
  switch (name) {
    case 'postmaster':
    case 'fullpostmaster':
      found.postmasterFrom = ''
      found.fullPostmaster = name === 'fullpostmaster'
      return undefined
    case 'postmaster_mailfrom':
    case 'mailfrom':
      if (equals === '') return `'=' expected after "${name}" in ACL verify condition "${text}"`
      if (name === 'postmaster_mailfrom') found.postmasterFrom = value
      else if (kind === 'header') found.mailfrom = value
      else {
        return `"mailfrom" is allowed as a callout option only for verify=header_sender (detected in ACL condition "${text}")`
      }
      return undefined
    case 'connect':
    case 'maxwait': {
      if (equals === '') return `'=' expected after "${name}" in ACL verify condition "${text}"`
      const seconds = parseInterval(value)
      if (seconds === undefined) return `bad time value in ACL condition "verify ${text}"`
      if (name === 'connect') found.connectSeconds = seconds
      else found.maxwaitSeconds = seconds
      return undefined
    }
    default: {
      const seconds = parseInterval(piece)
      if (seconds === undefined) return `bad time value in ACL condition "verify ${text}"`
      found.timeoutSeconds = seconds
      return undefined
    }
  }
}
