/**
 * The lines that tell what became of an address: `=>`, `->`, `*>`, `**`, `==` and `Completed`, in Exim's form and
 * order of fields. Source: Exim manual, "Log files", sections "Logging deliveries" and "Summary of fields".
 */
import { formatInterval } from '../base/interval.ts'
import type { ByteString } from '../base/text.ts'

/** Says whether a `log_selector` is on, and whether `log_ports` shows the port given. */
export type Selects = (selector: string, port?: number) => boolean

/** What is known of an address beside the outcome. */
export interface AddressLine {
  /** As delivered: complete, or the local part of a local delivery, or a file or pipe. */
  readonly shown: ByteString
  /** The recipient it came from, when it is to be shown in angle brackets. */
  readonly original: ByteString | undefined
  /** A pipe, a file or an automatic answer: who asked for it is always shown. */
  readonly special?: boolean | undefined
  /** Addresses between, nearest first, shown when `all_parents` is on. */
  readonly parents?: readonly ByteString[] | undefined
  readonly sender: ByteString
  /** Undefined where nothing was transmitted: routing failed, `:blackhole:`. */
  readonly returnPath: ByteString | undefined
  readonly router: string | undefined
  readonly transport: string | undefined
}

export interface HostLine {
  readonly name: ByteString
  readonly address: string
  readonly port: number
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  /** Second and later messages of one connection. */
  readonly continued?: boolean
  readonly dnssec?: boolean
  readonly tls?:
    | {
        readonly cipher: string
        readonly certificateVerified: boolean
        readonly peerDn: ByteString
        readonly resumed: boolean
        readonly dane?: boolean
      }
    | undefined
}

export interface DeliveredLine extends AddressLine {
  readonly flag: '=>' | '->' | '*>' | '>>'
  /** Of a message in a named queue. */
  readonly queueName?: string | undefined
  readonly sizeBytes: number
  readonly host?: HostLine | undefined
  /** The hosts that manualroute gave to a local transport, as they are written. */
  readonly localHosts?: ByteString | undefined
  readonly authenticator?: ByteString | undefined
  readonly pipelined?: boolean
  /** Commands left before the greeting: `L*`. */
  readonly early?: boolean
  readonly chunked?: boolean
  readonly prdr?: boolean
  readonly confirmation?: ByteString | undefined
  /** `ST=`: name of the shadow transport, with its error in parentheses. */
  readonly shadow?: ByteString | undefined
  readonly queueMs: number
  readonly deliveryMs: number
}

export interface FailedLine extends AddressLine {
  readonly host?: HostLine | undefined
  readonly errno?: number | undefined
  /** An empty one leaves its colon, as Exim's does; undefined: none. */
  readonly message: ByteString | undefined
  readonly deliveryMs: number
}

export interface DeferredLine extends AddressLine {
  readonly host?: HostLine | undefined
  readonly errno: number
  /** Its routing waits: no router was run. */
  readonly routing?: boolean
  /** The system's sentence, for numbers above 0. */
  readonly errorText?: ByteString | undefined
  readonly message: ByteString | undefined
  readonly deliveryMs: number
}

/** `0.042s`, or `3s` without `millisec`; longer times as `2m5s`. */
export function logDuration(milliseconds: number, selects: Selects): string {
  const ms = Math.max(0, milliseconds)
  const seconds = Math.floor(ms / 1000)
  if (seconds >= 60 || !selects('millisec')) return formatInterval(seconds)
  return `${seconds}.${String(Math.floor(ms % 1000)).padStart(3, '0')}s`
}

function addressPart(line: AddressLine, selects: Selects): string {
  let text = line.shown
  const parents = line.parents ?? []
  const shown = selects('all_parents') ? parents : line.special === true ? parents.slice(0, 1) : []
  if (shown.length > 0) text += ` (${shown.join(', ')})`
  if (line.original !== undefined) text += ` <${line.original}>`
  return text
}

/** `F=`, `Q=`, `P=`, `R=`, `T=`, in that order. */
function commonPart(line: AddressLine, selects: Selects, queueName: string = ''): string {
  let text = ''
  if (selects('sender_on_delivery')) text += ` F=<${line.sender}>`
  if (queueName !== '') text += ` Q=${queueName}`
  if (line.returnPath !== undefined && selects('return_path_on_delivery')) text += ` P=<${line.returnPath}>`
  return text + routerPart(line)
}

function routerPart(line: AddressLine): string {
  return `${line.router === undefined ? '' : ` R=${line.router}`}${
    line.transport === undefined ? '' : ` T=${line.transport}`
  }`
}

/** ` H=name [address]:port I=[address]:port`. */
export function hostPart(host: HostLine, selects: Selects): string {
  let text = ` H=${host.name} [${host.address}]`
  if (selects('outgoing_port', host.port)) text += `:${host.port}`
  if (host.continued === true) text += '*'
  // Both selectors together: the first says that interfaces are logged at all.
  if (host.localAddress !== undefined && selects('incoming_interface') && selects('outgoing_interface')) {
    text += ` I=[${host.localAddress}]`
    if (selects('outgoing_port') && host.localPort !== undefined) text += `:${host.localPort}`
  }
  if (host.dnssec === true && selects('dnssec')) text += ' DS'
  return text
}

function tlsPart(host: HostLine, selects: Selects): string {
  const tls = host.tls
  if (tls === undefined) return ''
  let text = ''
  if (selects('tls_cipher')) {
    text += ` X=${tls.cipher}${tls.resumed && selects('tls_resumption') ? '*' : ''}`
  }
  if (selects('tls_certificate_verified'))
    text += ` CV=${tls.dane === true ? 'dane' : tls.certificateVerified ? 'yes' : 'no'}`
  if (selects('tls_peerdn') && tls.peerDn !== '') text += ` DN="${tls.peerDn}"`
  return text
}

/** The line of an address that got its message. */
export function deliveredLine(line: DeliveredLine, selects: Selects): ByteString {
  let text = `${line.flag} ${addressPart(line, selects)}${commonPart(line, selects, line.queueName)}`
  if (selects('delivery_size')) text += ` S=${line.sizeBytes}`
  if (line.host !== undefined) text += hostPart(line.host, selects) + tlsPart(line.host, selects)
  else if (line.localHosts !== undefined) text += ` H=${line.localHosts}`
  if (line.authenticator !== undefined) text += ` A=${line.authenticator}`
  if (line.pipelined === true && selects('pipelining')) text += line.early === true ? ' L*' : ' L'
  if (line.prdr === true) text += ' PRDR'
  if (line.chunked === true) text += ' K'
  if (line.confirmation !== undefined && selects('smtp_confirmation')) {
    // Exim escapes line ends first, then quotes and backslashes: so two backslashes stand before the n.
    text += ` C="${printable(line.confirmation).replace(/["\\]/g, '\\$&')}"`
  }
  if (line.shadow !== undefined) text += ` ST=${line.shadow}`
  if (selects('queue_time')) text += ` QT=${logDuration(line.queueMs, selects)}`
  if (selects('deliver_time')) text += ` DT=${logDuration(line.deliveryMs, selects)}`
  return text
}

/** The line of an address that is given up and bounced. */
export function failedLine(line: FailedLine, selects: Selects): ByteString {
  let text = `** ${addressPart(line, selects)}${commonPart(line, selects)}`
  if (line.host !== undefined) text += hostPart(line.host, selects)
  if (line.message !== undefined) text += `: ${printable(line.message)}`
  if (selects('deliver_time')) text += ` DT=${logDuration(line.deliveryMs, selects)}`
  return text
}

/** The line of an address that was tried for long enough: neither sender nor router. Observed of Exim 4.96. */
export function timedOutLine(address: ByteString, parent: ByteString | undefined): ByteString {
  return `** ${belowParent(address, parent)}: retry timeout exceeded`
}

/** Lines of few words name the address and what it came from, not the recipient: observed of Exim 4.96. */
export function belowParent(address: ByteString, parent: ByteString | undefined): ByteString {
  return parent === undefined ? address : `${address} <${parent}>`
}

/** The line of an address that is tried again later. */
export function deferredLine(line: DeferredLine, selects: Selects): ByteString {
  return `== ${deferredBody(line, selects)}`
}

/** The same without the flag: what the message log keeps. */
export function deferredBody(line: DeferredLine, selects: Selects): ByteString {
  let text = `${addressPart(line, selects)}${routerPart(line)}${line.routing === true ? ' routing' : ''} defer (${line.errno})`
  if (line.errno > 0 && line.errorText !== undefined) text += `: ${line.errorText}`
  if (line.host !== undefined) text += hostPart(line.host, selects)
  if (selects('deliver_time')) text += ` DT=${logDuration(line.deliveryMs, selects)}`
  if (line.message !== undefined) text += `: ${printable(line.message)}`
  return text
}

export function completedLine(queueMs: number, selects: Selects): ByteString {
  return selects('queue_time_overall') ? `Completed QT=${logDuration(queueMs, selects)}` : 'Completed'
}

/** Line ends and quotes of a reply as a log line shows them: `\n`. */
export function printable(text: ByteString): ByteString {
  if (!/[\x00-\x1f\x7f]/.test(text)) return text
  return text.replace(/[\x00-\x1f\x7f]/g, (c) => {
    if (c === '\n') return '\\n'
    if (c === '\t') return '\\t'
    if (c === '\r') return '\\r'
    return `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
}
