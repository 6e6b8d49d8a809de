/** Command lines of SMTP, cut into their parts; no policy. Source: RFC 5321 section 4.1, RFC 3461, RFC 3030. */
import { parseIp } from '../../base/ip.ts'
import type { ByteString } from '../../base/text.ts'

/** What a verb's row must say for the line to be cut. */
export interface VerbForm {
  /** `MAIL FROM:` is one verb for Exim: without the rest the command is not recognised. */
  readonly verb: string
  /** What must follow the verb: nothing or white space, or a colon. */
  readonly colon?: string | undefined
  /** Anything after the verb is a syntax error. */
  readonly bare?: boolean | undefined
}

export interface CommandLine<F extends VerbForm> {
  readonly form: F
  readonly argument: ByteString
}

/**
 * Recognises a command: the verb in any case at the very start, then white space or the end; `MAIL FROM:` and
 * `RCPT TO:` with their colon. White space around the argument is dropped.
 */
export function recognise<F extends VerbForm>(
  line: ByteString,
  forms: readonly F[],
): CommandLine<F> | undefined {
  for (const form of forms) {
    const whole = form.colon === undefined ? form.verb : `${form.verb} ${form.colon}`
    if (line.length < whole.length || line.slice(0, whole.length).toUpperCase() !== whole) continue
    const rest = line.slice(whole.length)
    if (form.colon === undefined && rest !== '' && rest[0] !== ' ' && rest[0] !== '\t') continue
    return { form, argument: rest.trim() }
  }
  return undefined
}

export interface EsmtpParameter {
  readonly name: string
  /** Undefined when the keyword stands alone. */
  readonly value: ByteString | undefined
}

/** Parameters that may stand after the address of MAIL and RCPT, and whether they may carry a value. */
export type ParameterForms = Readonly<Record<string, 'value' | 'alone'>>

/**
 * Takes known parameters off the end of an argument, last first, until something is met that is none: that
 * belongs to the address, where it will be a syntax error.
 */
export function splitParameters(
  argument: ByteString,
  forms: ParameterForms,
): { readonly address: ByteString; readonly parameters: readonly EsmtpParameter[] } {
  const parameters: EsmtpParameter[] = []
  let rest = argument
  for (let taken = 0; taken < 50; taken++) {
    const match = /^(.*\S)[ \t]+([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]*))?$/s.exec(rest)
    if (match === null) break
    const name = (match[2] ?? '').toUpperCase()
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined
    if (form === undefined || (form === 'alone' && match[3] !== undefined)) break
    parameters.unshift({ name, value: match[3] })
    rest = match[1] ?? ''
  }
  return { address: rest, parameters }
}

/** Takes xtext apart; undefined when it is malformed. Source: RFC 3461 section 4. */
export function decodeXtext(text: ByteString): ByteString | undefined {
  // Differs from the RFC, as Exim does: small letters are taken too.
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*$/.test(text)) return undefined
  return text.replace(/\+([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Writes xtext. Source: RFC 3461 section 4. */
export function encodeXtext(text: ByteString): ByteString {
  return text.replace(
    /[^!-*,-<>-~]/g,
    (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/**
 * True when the argument of HELO or EHLO is a name or an address in brackets.
 * @param extra characters of `helo_allow_chars`
 */
export function validHelo(argument: ByteString, extra: ByteString): boolean {
  if (argument === '') return false
  if (argument.startsWith('[')) {
    const [, ipv6, address = ''] = /^\[(IPv6:)?([0-9A-Fa-f:.]+)\]$/i.exec(argument) ?? []
    const version = parseIp(address)?.version
    return version === 6 || (version === 4 && ipv6 === undefined)
  }
  for (const char of argument) {
    if (!/[A-Za-z0-9.-]/.test(char) && !extra.includes(char)) return false
  }
  return true
}

export type BdatArgument =
  | { readonly is: 'chunk'; readonly size: number; readonly last: boolean }
  | { readonly is: 'missing-size' }
  /** Another word than LAST; the bytes may follow all the same. */
  | { readonly is: 'not-last'; readonly size: number }

/** `BDAT size [LAST]`. */
export function parseBdat(argument: ByteString): BdatArgument {
  const match = /^(\d{1,10})(?:[ \t]+(\S.*))?$/.exec(argument)
  if (match === null) return { is: 'missing-size' }
  const word = match[2]
  if (word !== undefined && word.toUpperCase() !== 'LAST') return { is: 'not-last', size: Number(match[1]) }
  return { is: 'chunk', size: Number(match[1]), last: word !== undefined }
}
