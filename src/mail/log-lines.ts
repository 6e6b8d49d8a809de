/**
 * Log lines of reception, in Exim's words and field order. Each function gives the text; the caller logs it.
 * Source: Exim manual, "Log files"; orders and spaces observed of Exim 4.96.
 */
import type { ByteString } from '../base/text.ts'
import type { ConnectionFacts, Log } from '../ports.ts'
import type { Envelope, Header } from './envelope.ts'
import { parseAddress } from './parse-address.ts'
import { headerBody, isNamed } from './header.ts'
import { decodeWords } from './rfc2047.ts'

/** `name (helo) [address]:port` as `$sender_fullhost` has it; empty for local input without a host. */
export function fullHost(connection: ConnectionFacts, withPort: boolean): ByteString {
  const address = connection.hostAddress
  if (address === undefined) return ''
  const port = withPort && connection.hostPort > 0 ? `:${connection.hostPort}` : ''
  const at = `[${address}]${port}`
  const { helo } = connection
  const hostName = shownHostName(connection)
  const shownHelo = helo === undefined || helo === '' ? '' : `(${helo}) `
  if (hostName === undefined) return `${shownHelo}${at}`
  const same = helo !== undefined && [hostName.toLowerCase(), `[${address}]`].includes(helo.toLowerCase())
  return `${hostName} ${same ? '' : shownHelo}${at}`
}

/** The client's name, once what names the client shows it. */
export function shownHostName({ hostName, hostNameHidden }: ConnectionFacts): string | undefined {
  return hostNameHidden === true ? undefined : hostName
}

/** ` I=[address]:port` when `incoming_interface` is on. */
export function interfaceField(connection: ConnectionFacts, log: Log): ByteString {
  if (!log.selects('incoming_interface') || connection.interfaceAddress === undefined) return ''
  const { interfaceAddress, interfacePort } = connection
  return ` I=[${interfaceAddress}]${log.selects('incoming_interface', interfacePort) ? `:${interfacePort}` : ''}`
}

/**
 * Who is at the other end, for the middle of a line: `(helo) [address] I=[..]:25 U=ident`; for local input `root`.
 * @param tagged with `H=` and, for local input, `U=` before it
 */
export function hostAndIdent(connection: ConnectionFacts, log: Log, tagged: boolean): ByteString {
  const host = fullHost(connection, log.selects('incoming_port'))
  const ident = connection.ident === undefined || connection.ident === '' ? '' : connection.ident
  if (host === '') {
    if (tagged) return `U=${ident === '' ? 'unknown' : ident}`
    return ident === '' ? 'unknown' : ident
  }
  const user = ident === '' ? '' : ` U=${ident}`
  return `${tagged ? 'H=' : ''}${host}${interfaceField(connection, log)}${user}`
}

/** ` X=... CV=... DN="..." SNI=...` of an encrypted connection, each under its selector. */
export function tlsFields(connection: ConnectionFacts, log: Log): ByteString {
  const tls = connection.tls
  if (tls === undefined) return ''
  let text = ''
  if (log.selects('tls_cipher'))
    text += ` X=${tls.cipher}${tls.resumed && log.selects('tls_resumption') ? '*' : ''}`
  if (log.selects('tls_certificate_verified')) text += ` CV=${tls.certificateVerified ? 'yes' : 'no'}`
  if (log.selects('tls_peerdn') && tls.peerDn !== '') text += ` DN="${quoted(printable(tls.peerDn))}"`
  if (log.selects('tls_sni') && tls.sni !== '') text += ` SNI=${printable(tls.sni)}`
  return text
}

/** ` A=mechanism:id:sender`. */
export function authField(connection: ConnectionFacts, log: Log): ByteString {
  if (connection.authenticatedBy === undefined) return ''
  const id = connection.authenticatedId
  const sender = connection.authenticatedSender
  let text = ` A=${connection.authenticatedBy}`
  if (id !== undefined && id !== '') text += `:${id}`
  if (log.selects('smtp_mailauth') && sender !== undefined && sender !== '') {
    text += `${id === undefined || id === '' ? ':' : ''}:${sender}`
  }
  return text
}

export interface Reception {
  readonly envelope: Envelope
  readonly connection: ConnectionFacts
  /** Headers and body, as `S=` says it. */
  readonly sizeBytes: number
  /** 0 not given, 7 or 8. */
  readonly body8bitmime: 0 | 7 | 8
  readonly chunking: boolean
  /** What follows `L`: `-` when PIPELINING was offered and not used, and so on. Undefined: it was not offered. */
  readonly pipelining: string | undefined
  readonly prdr: boolean
  /** The sender and the recipients before rewriting, without discarded ones. */
  readonly rawSender: ByteString
  readonly rawRecipients: readonly ByteString[]
  /** The id of the message that this one reports on. */
  readonly about?: string | undefined
  readonly fakeReject?: boolean
  /** As it came or was made, whatever ACLs add and remove. */
  readonly messageId: { readonly header: Header | undefined; readonly created: boolean }
  /** `DKIM=domain` of a signature that verified. */
  readonly dkimDomain?: ByteString | undefined
  /** The ARC chain was checked and is whole. */
  readonly arcPassed?: boolean
  /** The result of the SPF check, when it ran. */
  readonly spf?: string | undefined
  /** The word of the DMARC check, when it ran. */
  readonly dmarc?: string | undefined
}

/** The `<=` line of a message. */
export function receivedLine(reception: Reception, log: Log): ByteString {
  const { envelope, connection } = reception
  const sender = envelope.sender === '' ? '<>' : envelope.sender
  let text = `${reception.fakeReject === true ? '(=' : '<='} ${sender}`
  if (reception.about !== undefined) text += ` R=${reception.about}`
  const who = hostAndIdent(connection, log, true)
  if (who !== 'U=unknown') text += ` ${who}`
  if (envelope.protocol !== '') text += ` P=${envelope.protocol}`
  if (reception.pipelining !== undefined && log.selects('pipelining')) {
    text += ` L${reception.pipelining}`
  }
  text += tlsFields(connection, log) + authField(connection, log)
  if (reception.prdr) text += ' PRDR'
  const proxy = connection.proxy
  if (proxy?.session === true && log.selects('proxy')) text += ` PRX=${proxy.localAddress}`
  if (reception.chunking) text += ' K'
  text += ` S=${reception.sizeBytes}`
  if (reception.spf !== undefined && log.selects('spf')) text += ` SPF=${reception.spf}`
  if (reception.dkimDomain !== undefined && log.selects('dkim')) text += ` DKIM=${reception.dkimDomain}`
  if (reception.arcPassed === true && log.selects('dkim')) text += ' ARC'
  if (reception.dmarc !== undefined && log.selects('dmarc')) text += ` DMARC=${reception.dmarc}`
  if (log.selects('8bitmime')) text += ` M8S=${reception.body8bitmime}`
  if (log.selects('receive_time')) text += ` RT=${duration(envelope.receiveMs, log)}`
  if (envelope.queueName !== undefined && envelope.queueName !== '') text += ` Q=${envelope.queueName}`
  text += messageIdField(reception.messageId, log)
  if (log.selects('subject')) text += subjectField(envelope.headers)
  if (log.selects('received_sender')) text += ` from <${reception.rawSender}>`
  if (log.selects('received_recipients') && reception.rawRecipients.length > 0) {
    text += ` for ${reception.rawRecipients.join(' ')}`
  }
  return text
}

/** `1m3s`, or `0.304s` under `millisec` for short times. */
export function duration(milliseconds: number, log: Log): string {
  const whole = Math.floor(milliseconds / 1000)
  if (log.selects('millisec') && whole < 60) {
    return `${whole}.${String(Math.floor(milliseconds % 1000)).padStart(3, '0')}s`
  }
  return readableTime(whole)
}

/** `1w2d3h4m5s`, the forms that time options are written in. */
export function readableTime(seconds: number): string {
  const units = [
    ['w', 604_800],
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const
  let rest = seconds
  let text = ''
  for (const [letter, size] of units) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${letter}`
    rest -= count * size
  }
  return rest > 0 || text === '' ? `${text}${rest}s` : text
}

function messageIdField({ header, created }: Reception['messageId'], log: Log): ByteString {
  if (created ? !log.selects('msg_id_created') : !log.selects('msg_id')) return ''
  if (header === undefined) return ''
  // What is no id, with white space in it for one, would look like other fields of the line.
  const id = parseAddress(headerBody(header.text))
  return id.is === 'address' ? ` id${created ? '*' : ''}=${id.address}` : ''
}

export function subjectField(headers: readonly Header[]): ByteString {
  const found = headers.filter((one) => one.type !== '*' && isNamed(one, 'Subject'))
  if (found.length === 0) return ''
  const body = found.map((one) => headerBody(one.text).trim()).join('\n')
  const decoded = decodeWords(body, { charset: undefined, checkLength: true })
  return ` T="${quoted(printable('text' in decoded ? decoded.text : body))}"`
}

/** Inside double quotes; backslashes have been doubled by `printable`. */
function quoted(text: ByteString): ByteString {
  return text.replaceAll('"', '\\"')
}

/** Text on one line and in printing characters: line ends and the like as escapes, other bytes in octal. */
export function printable(text: ByteString, topbit: boolean = false): ByteString {
  return text.replace(topbit ? /[^\x20-\x7e\x80-\xff]|\\/g : /[^\x20-\x7e]|\\/g, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\r') return '\\r'
    if (char === '\t') return '\\t'
    if (char === '\\') return '\\\\'
    return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
}
