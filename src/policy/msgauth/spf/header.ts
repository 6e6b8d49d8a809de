/** Words about a result: the comment, and the Received-SPF: header. Source: RFC 7208 section 9.1. */
import { unreachable } from '../../../base/outcome.ts'
import { asciiDomain } from './names.ts'
import type { SpfResult } from './result.ts'

export interface Told {
  readonly result: SpfResult
  readonly identity: 'mfrom' | 'helo'
  readonly domain: string
  readonly sender: string
  readonly helo: string
  readonly ip: string
  readonly receiver: string
}

/** More of a name or an address than this is shown nowhere. */
const LONGEST_VALUE = 200
/** Tried one after the other until the header is a line of lawful length. */
const VALUE_LENGTHS = [LONGEST_VALUE, 100, 50]
/** RFC 5322 section 2.1.1. */
const LONGEST_LINE = 998

/** Printable ASCII, whatever a stranger or the DNS said. */
export function clean(text: string, longest: number = LONGEST_VALUE): string {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, '?')
  return printable.length > longest ? `${printable.slice(0, longest)}...` : printable
}

/** `mx.example: domain of a.example designates 192.0.2.1 as permitted sender`. */
export function headerComment(told: Told, longest: number = LONGEST_VALUE): string {
  return `${clean(told.receiver, longest)}: ${sentence(told, longest)}`
}

function sentence({ result, ip, domain: name }: Told, longest: number): string {
  const domain = clean(name, longest)
  switch (result.result) {
    case 'pass':
      return `domain of ${domain} designates ${ip} as permitted sender`
    case 'fail':
      return `domain of ${domain} does not designate ${ip} as permitted sender`
    case 'softfail':
      return `transitioning domain of ${domain} does not designate ${ip} as permitted sender`
    case 'neutral':
      return `${ip} is neither permitted nor denied by domain of ${domain}`
    case 'none':
      return `domain of ${domain} does not provide an SPF record`
    case 'temperror':
    case 'permerror':
      return `error in processing during lookup of domain of ${domain}: ${clean(result.problem, longest)}`
    default:
      return unreachable(result)
  }
}

/** The header with its name, on one line. Its comment and its values are quoted as RFC 5322 asks. */
export function receivedHeader(told: Told): string {
  let header = ''
  for (const longest of VALUE_LENGTHS) {
    header = headerOf(told, longest)
    if (header.length <= LONGEST_LINE) break
  }
  return header
}

function headerOf(told: Told, longest: number): string {
  const { result } = told
  const pairs: [key: string, value: string][] = [
    ['client-ip', told.ip],
    ['envelope-from', asciiAddress(told.sender)],
    ['helo', asciiDomain(told.helo)],
    ['receiver', told.receiver],
    ['identity', told.identity === 'mfrom' ? 'mailfrom' : 'helo'],
  ]
  if ('mechanism' in result) pairs.push(['mechanism', result.mechanism])
  if (result.result === 'temperror' || result.result === 'permerror') pairs.push(['problem', result.problem])
  const comment = headerComment(told, longest).replaceAll(/[()\\]/g, (character) => `\\${character}`)
  const list = pairs.map(([key, value]) => `${key}=${valueOf(value, longest)}`).join('; ')
  return `Received-SPF: ${result.result} (${comment}) ${list};`
}

/** A reader of the header can ask for the domain again: RFC 8616 section 4. */
function asciiAddress(address: string): string {
  const domain = address.lastIndexOf('@') + 1
  return address.slice(0, domain) + asciiDomain(address.slice(domain))
}

/** dot-atom / quoted-string. */
function valueOf(value: string, longest: number): string {
  const text = clean(value, longest)
  if (/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i.test(text)) return text
  return `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`
}
