/**
 * Reads Exim's -H files.
 * Source: Exim manual, "Format of spool files"; forms that it does not show were observed of Exim 4.96.
 */
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Recipient, RecipientDsn } from '../../mail/envelope.ts'
import { notifyBits } from './exim-files.ts'
import { LineReader } from './line-reader.ts'

const notifyNames = ['never', 'success', 'failure', 'delay'] as const

/** Reads a -H file; a sentence when it is not one. */
export function parseHeaderFile(text: ByteString): Envelope | string {
  const reader = new LineReader(text)
  const id = /^([\w-]{16,23})-H$/.exec(reader.line())?.[1]
  if (id === undefined) return 'its first line is not the name of an -H file'
  const originator = /^(.*) (-?\d+) (-?\d+)$/.exec(reader.line())
  const sender = /^<(.*)>$/.exec(reader.line())
  const times = /^(\d+) (\d+)$/.exec(reader.line())
  if (originator === null || sender === null || times === null) return 'its envelope is not as Exim writes it'
  const items = readOptions(reader)
  if (typeof items === 'string') return items
  const done = readTree(reader)
  if (done === undefined) return 'its list of non-recipients is damaged'
  const recipients = readRecipients(reader)
  if (recipients === undefined) return 'its list of recipients is damaged'
  const headers = readHeaders(reader)
  if (headers === undefined) return 'its headers are damaged'
  return {
    ...fromOptions(items, Number(times[1]) * 1000),
    id,
    originator: { login: originator[1] ?? '', uid: Number(originator[2]), gid: Number(originator[3]) },
    sender: sender[1] ?? '',
    ...(times[2] === '0' ? {} : { warningCount: Number(times[2]) }),
    recipients,
    headers,
    bodySize: 0,
    done,
  }
}

interface Options {
  readonly values: ReadonlyMap<string, ByteString>
  readonly variables: Envelope['aclVariables']
  /** Lines with a name that is not known here. */
  readonly kept: readonly ByteString[]
}

const knownOptions = new Set(
  `received_time_usec received_time_complete helo_name host_address host_name host_auth interface_address ident
   received_protocol spool_file_wireformat body_linecount max_received_linelength body_zerocount auth_id auth_sender
   deliver_firsttime frozen local localerror manual_thaw sender_set_untrusted tls_certificate_verified tls_cipher
   tls_peercert tls_peerdn tls_sni tls_ver smtputf8 utf8_downcvt utf8_optdowncvt dsn_envid dsn_ret
   allow_unqualified_recipient allow_unqualified_sender`.split(/\s+/),
)

function readOptions(reader: LineReader): Options | string {
  const values = new Map<string, ByteString>()
  const variables: Record<string, { text: ByteString; taintedBy?: string }> = {}
  const kept: ByteString[] = []
  while (reader.peek() === '-') {
    const line = reader.line()
    // A quoter may stand in brackets after the hyphens.
    const parts = /^(--?)(?:\([^)]*\))?(\w+)(?: (.*))?$/s.exec(line)
    if (parts === null) return `its line "${line.slice(0, 40)}" is not understood`
    const [, hyphens, name = '', text = ''] = parts
    const variable = /^(\S+) (\d+)$/.exec(text)
    if ((name === 'aclc' || name === 'aclm') && variable !== null) {
      const content = reader.take(Number(variable[2]))
      if (content === undefined) return `the value of ${name} ${variable[1]} is cut off`
      const tainted = hyphens === '--' ? { taintedBy: 'spool' } : {}
      variables[`${name.slice(3)}${variable[1]}`] = { text: content, ...tainted }
    } else if (knownOptions.has(name)) values.set(name, text)
    else kept.push(line)
  }
  return { values, variables: Object.keys(variables).length === 0 ? undefined : variables, kept }
}

function fromOptions(
  { values, variables, kept }: Options,
  second: number,
): Omit<Envelope, 'id' | 'originator' | 'sender' | 'recipients' | 'headers' | 'bodySize' | 'done'> {
  const text = (name: string): ByteString | undefined => values.get(name)
  const number = (name: string): number => Number(values.get(name) ?? 0) || 0
  const flag = (name: string): true | undefined => (values.has(name) ? true : undefined)
  const receivedAt = second + thousandths(text('received_time_usec') ?? '')
  const [seconds = '', part = ''] = (text('received_time_complete') ?? '').split('.')
  const complete = Number(seconds) * 1000 + thousandths(`.${part}`)
  const host = readHost(values)
  const lines =
    host === undefined && values.has('helo_name') ? [...kept, `--helo_name ${text('helo_name')}`] : kept
  const dsnRet = { '1': 'full', '2': 'hdrs' }[text('dsn_ret') ?? ''] as 'full' | 'hdrs' | undefined
  return {
    receivedAt,
    receiveMs: Math.max(0, complete - receivedAt),
    protocol: text('received_protocol') ?? '',
    local: values.has('local'),
    bodyLines: number('body_linecount'),
    bodyZeros: number('body_zerocount'),
    maxReceivedLineLength: number('max_received_linelength'),
    firstDelivery: values.has('deliver_firsttime'),
    ...present({
      host,
      ident: host === undefined ? text('ident') : undefined,
      authenticatedId: text('auth_id'),
      authenticatedSender: text('auth_sender'),
      localErrorMessage: flag('localerror'),
      allowUnqualified:
        values.has('allow_unqualified_recipient') || values.has('allow_unqualified_sender')
          ? {
              senders: values.has('allow_unqualified_sender'),
              recipients: values.has('allow_unqualified_recipient'),
            }
          : undefined,
      spoolFileWireformat: flag('spool_file_wireformat'),
      smtputf8: flag('smtputf8'),
      utf8Downconvert: flag('utf8_downcvt') === true ? 1 : flag('utf8_optdowncvt') === true ? -1 : undefined,
      dsnRet,
      dsnEnvid: text('dsn_envid'),
      aclVariables: variables,
      senderSetUntrusted: flag('sender_set_untrusted'),
      frozenAt: values.has('frozen') ? number('frozen') * 1000 : undefined,
      manuallyThawed: flag('manual_thaw'),
      extra: lines.length === 0 ? undefined : { exim_spool_lines: lines },
    }),
  }
}

/** Milliseconds of `.238031`. */
function thousandths(text: string): number {
  return Number(/^\.(\d{3})/.exec(text)?.[1] ?? 0)
}

function readHost(values: ReadonlyMap<string, ByteString>): Envelope['host'] {
  const address = readAddress(values.get('host_address'))
  if (address === undefined) return undefined
  const local = readAddress(values.get('interface_address'))
  return {
    address: address.address,
    port: address.port,
    ...present({
      name: values.get('host_name'),
      helo: values.get('helo_name'),
      ident: values.get('ident'),
      authenticated: values.get('host_auth'),
      interfaceAddress: local?.address,
      interfacePort: local?.port,
      tlsCipher: values.get('tls_cipher'),
      tlsPeerDn: values.get('tls_peerdn'),
      tlsSni: values.get('tls_sni'),
      tlsCertificateVerified: values.has('tls_certificate_verified') ? true : undefined,
      tlsVersion: values.get('tls_ver'),
      tlsPeerCertificate: base64Of(values.get('tls_peercert')),
    }),
  }
}

/** What stands between the first and the last line of a PEM text whose line ends are `\\n`. */
function base64Of(pem: ByteString | undefined): string | undefined {
  return /-----BEGIN CERTIFICATE-----(.*?)-----END/.exec(pem ?? '')?.[1]?.replaceAll('\\n', '')
}

/** `[192.0.2.1]:25`, or `192.0.2.1.25` of older versions. */
function readAddress(text: ByteString | undefined): { address: string; port: number } | undefined {
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(text ?? '') ?? /^(.+)\.(\d+)$/.exec(text ?? '')
  if (parts?.[1] === undefined) return undefined
  return { address: parts[1], port: Number(parts[2] ?? 0) }
}

function readTree(reader: LineReader): ByteString[] | undefined {
  const done: ByteString[] = []
  // How many nodes are still to come; the shape of the tree does not matter to us.
  let open = 1
  if (reader.startsWith('XX\n')) {
    reader.line()
    return done
  }
  while (open > 0) {
    const node = /^([YN])([YN]) (.*)$/s.exec(reader.line())
    if (node?.[3] === undefined) return undefined
    done.push(node[3])
    open += (node[1] === 'Y' ? 1 : 0) + (node[2] === 'Y' ? 1 : 0) - 1
  }
  return done
}

function readRecipients(reader: LineReader): Recipient[] | undefined {
  const count = /^\d{1,7}$/.exec(reader.line())
  if (count === null) return undefined
  const recipients: Recipient[] = []
  for (let i = 0; i < Number(count[0]); i++) {
    const line = reader.line()
    const recipient = line === '' ? undefined : readRecipient(line)
    if (recipient === undefined) return undefined
    recipients.push(recipient)
  }
  return reader.line() === '' ? recipients : undefined
}

/** Fields stand from the end: an address may hold spaces in quotes, so its length is what is left. */
function readRecipient(line: ByteString): Recipient | undefined {
  const bits = Number(/#(\d+)$/.exec(line)?.[1] ?? 0)
  if (bits === 0) return { address: line }
  const tail = / (\d+),(-?\d+)#\d+$/.exec(line)
  if (tail === null) return undefined
  let rest = line.slice(0, tail.index)
  const errors = rest.slice(rest.length - Number(tail[1]))
  rest = rest.slice(0, rest.length - errors.length - 1)
  const parent = Number(tail[2])
  let dsn: RecipientDsn | undefined
  if ((bits & 2) !== 0) {
    const given = / (\d+),(\d+)$/.exec(rest)
    if (given === null) return undefined
    rest = rest.slice(0, given.index)
    const orcpt = rest.slice(rest.length - Number(given[1]))
    rest = rest.slice(0, rest.length - orcpt.length - 1)
    const notify = notifyNames.filter((name) => (Number(given[2]) & notifyBits[name]) !== 0)
    dsn = { notify, orcpt: orcpt === '' ? undefined : orcpt }
  }
  return {
    address: rest,
    ...present({
      dsn,
      errorsTo: errors === '' ? undefined : errors,
      parent: parent < 0 ? undefined : parent,
    }),
  }
}

function readHeaders(reader: LineReader): Envelope['headers'] | undefined {
  const headers: { type: string; text: ByteString }[] = []
  while (!reader.atEnd()) {
    const start = reader.match(/(\d{3,})([A-Z* ]) /y)
    const text = start === undefined ? undefined : reader.takeBytes(Number(start[1]))
    if (start?.[2] === undefined || text === undefined) return undefined
    headers.push({ type: start[2], text })
  }
  return headers
}

/** Only what is there. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Same names, same values, fewer of them.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
