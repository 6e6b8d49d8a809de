/**
 * The text of Exim's -H files: an envelope written as Exim writes it.
 * Source: Exim manual, "Format of spool files"; forms that it does not show were observed of Exim 4.96.
 */
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Recipient } from '../../mail/envelope.ts'

export const notifyBits = { never: 2, success: 4, failure: 8, delay: 16 } as const

/** A whole -H file, as `-Mvh` shows it and `postern spool export` writes it. */
export function headerFileOf(envelope: Envelope): ByteString {
  const { login, uid, gid } = envelope.originator
  const lines = [
    `${envelope.id}-H`,
    `${login} ${uid} ${gid}`,
    `<${envelope.sender}>`,
    `${Math.floor(envelope.receivedAt / 1000)} ${envelope.warningCount ?? 0}`,
    ...optionLines(envelope),
    ...treeLines(envelope.done),
    String(envelope.recipients.length),
    ...envelope.recipients.map(recipientLine),
    '',
  ]
  return `${lines.join('\n')}\n${envelope.headers.map(headerText).join('')}`
}

/** Each header begins with its length in three digits or more, its type, and a space. */
function headerText({ type, text }: Envelope['headers'][number]): ByteString {
  return `${String(text.length).padStart(3, '0')}${type} ${text}`
}

function optionLines(envelope: Envelope): ByteString[] {
  const lines: ByteString[] = []
  const flag = (name: string, on: boolean | undefined): void => void (on === true && lines.push(`-${name}`))
  // Two hyphens: the value came from outside.
  const value = (name: string, text: ByteString | undefined, tainted = false): void =>
    void (text !== undefined && text !== '' && lines.push(`${tainted ? '--' : '-'}${name} ${text}`))
  const { host } = envelope
  const complete = envelope.receivedAt + envelope.receiveMs
  lines.push(`-received_time_usec .${fraction(envelope.receivedAt)}`)
  lines.push(`-received_time_complete ${Math.floor(complete / 1000)}.${fraction(complete)}`)
  value('helo_name', host?.helo, true)
  if (host !== undefined && host.address !== '') value('host_address', `[${host.address}]:${host.port}`)
  value('host_name', host?.name, true)
  value('host_auth', host?.authenticated)
  if (host?.interfaceAddress !== undefined) {
    value('interface_address', `[${host.interfaceAddress}]:${host.interfacePort ?? 0}`)
  }
  const ident = host?.ident ?? envelope.ident
  value('ident', ident, host !== undefined && ident !== envelope.originator.login)
  value('received_protocol', envelope.protocol)
  for (const [name, variable] of Object.entries(envelope.aclVariables ?? {})) {
    const kind = name.startsWith('c') ? 'aclc' : 'aclm'
    const hyphens = variable.taintedBy === undefined ? '-' : '--'
    lines.push(`${hyphens}${kind} ${name.slice(1)} ${variable.text.length}\n${variable.text}`)
  }
  flag('spool_file_wireformat', envelope.spoolFileWireformat)
  if (envelope.spoolFileWireformat !== true) lines.push(`-body_linecount ${envelope.bodyLines}`)
  lines.push(`-max_received_linelength ${envelope.maxReceivedLineLength}`)
  if (envelope.bodyZeros > 0) lines.push(`-body_zerocount ${envelope.bodyZeros}`)
  // The name of a local caller is not from outside.
  const own = host?.authenticated === undefined && envelope.authenticatedId === envelope.originator.login
  value('auth_id', envelope.authenticatedId, !own)
  value('auth_sender', envelope.authenticatedSender, !own)
  flag('allow_unqualified_recipient', envelope.allowUnqualified?.recipients)
  flag('allow_unqualified_sender', envelope.allowUnqualified?.senders)
  flag('deliver_firsttime', envelope.firstDelivery)
  if (envelope.frozenAt !== undefined) lines.push(`-frozen ${Math.floor(envelope.frozenAt / 1000)}`)
  flag('local', envelope.local)
  flag('localerror', envelope.localErrorMessage)
  flag('manual_thaw', envelope.manuallyThawed)
  flag('sender_set_untrusted', envelope.senderSetUntrusted)
  flag('tls_certificate_verified', host?.tlsCertificateVerified)
  value('tls_cipher', host?.tlsCipher)
  value('tls_peercert', pemOf(host?.tlsPeerCertificate), true)
  value('tls_peerdn', host?.tlsPeerDn, true)
  value('tls_sni', host?.tlsSni, true)
  value('tls_ver', host?.tlsVersion)
  flag('smtputf8', envelope.smtputf8)
  flag('utf8_downcvt', envelope.utf8Downconvert === 1)
  flag('utf8_optdowncvt', envelope.utf8Downconvert === -1)
  value('dsn_envid', envelope.dsnEnvid)
  if (envelope.dsnRet !== undefined) lines.push(`-dsn_ret ${envelope.dsnRet === 'full' ? 1 : 2}`)
  return [...lines, ...keptLines(envelope)]
}

/** A certificate as Exim has it in one line: line ends as `\\n`. */
function pemOf(base64: string | undefined): ByteString | undefined {
  if (base64 === undefined) return undefined
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\\n')
}

function fraction(milliseconds: number): string {
  return String(Math.floor((milliseconds % 1000) * 1000)).padStart(6, '0')
}

/** Lines of an imported file that Postern has no field for: they go out as they came. */
function keptLines(envelope: Envelope): ByteString[] {
  const kept = envelope.extra?.['exim_spool_lines']
  return Array.isArray(kept) ? kept.filter((line) => typeof line === 'string') : []
}

/**
 * The addresses that are done, as the balanced tree Exim reads: each line tells whether a left and a right branch
 * follow.
 */
function treeLines(done: readonly ByteString[]): ByteString[] {
  if (done.length === 0) return ['XX']
  const sorted = [...new Set(done)].sort((a, b) => (a < b ? -1 : 1))
  const lines: ByteString[] = []
  const branch = (from: number, to: number): void => {
    const middle = (from + to) >> 1
    const left = middle > from ? 'Y' : 'N'
    const right = middle + 1 < to ? 'Y' : 'N'
    lines.push(`${left}${right} ${sorted[middle] ?? ''}`)
    // As deep as the logarithm of the number of addresses.
    if (left === 'Y') branch(from, middle)
    if (right === 'Y') branch(middle + 1, to)
  }
  branch(0, sorted.length)
  return lines
}

function recipientLine(recipient: Recipient): ByteString {
  const { address, dsn, errorsTo, parent } = recipient
  const errors = errorsTo ?? ''
  const tail = `${errors} ${errors.length},${parent ?? -1}`
  if (dsn !== undefined) {
    const bits = dsn.notify.reduce((sum, name) => sum | notifyBits[name], 0)
    const orcpt = dsn.orcpt ?? ''
    return `${address} ${orcpt} ${orcpt.length},${bits} ${tail}#3`
  }
  return errorsTo === undefined && parent === undefined ? address : `${address} ${tail}#1`
}
