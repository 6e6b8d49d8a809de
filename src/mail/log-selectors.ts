/** The names of `log_selector`. Source: Exim manual, "Reducing or increasing what is logged". */
import { portFilter } from './log-ports.ts'

export interface LogSelectorRow {
  readonly doc: string
  /** On without being asked for. */
  readonly default: boolean
  readonly tier: 'A' | 'B' | 'C'
}

export const logSelectors = {
  '8bitmime': { default: false, tier: 'B', doc: 'M8S= on <= lines: the body type the client declared.' },
  acl_warn_skipped: {
    default: true,
    tier: 'A',
    doc: 'A warn statement left out because a condition could not be tested.',
  },
  address_rewrite: { default: false, tier: 'A', doc: 'Each rewriting of an address.' },
  all_parents: { default: false, tier: 'A', doc: 'All ancestors of an address on delivery lines.' },
  arguments: { default: false, tier: 'A', doc: 'The command line of each call.' },
  connection_id: { default: false, tier: 'A', doc: 'The connection identifier on lines of a session.' },
  connection_reject: { default: true, tier: 'A', doc: 'Connections refused before a dialogue.' },
  delay_delivery: { default: true, tier: 'A', doc: 'Immediate delivery put off.' },
  deliver_time: { default: false, tier: 'A', doc: 'DT= time a delivery took.' },
  delivery_size: { default: false, tier: 'A', doc: 'S= size on delivery lines.' },
  dkim: { default: true, tier: 'A', doc: 'DKIM= on <= lines when a signature verifies.' },
  dkim_verbose: { default: false, tier: 'A', doc: 'A line for each DKIM signature.' },
  dmarc: { default: false, tier: 'A', doc: 'DMARC= on <= lines and on those of refusals after DATA.' },
  dmarc_verbose: { default: false, tier: 'A', doc: 'A line with all that each DMARC check found.' },
  dnslist_defer: { default: true, tier: 'A', doc: 'DNS list look-ups that could not be done.' },
  dnssec: { default: false, tier: 'A', doc: 'DS where answers were secured.' },
  etrn: { default: true, tier: 'A', doc: 'ETRN commands.' },
  host_lookup_failed: { default: true, tier: 'A', doc: 'Clients whose address has no confirmed name.' },
  ident_timeout: { default: false, tier: 'C', doc: 'RFC 1413 queries without answer.' },
  incoming_interface: { default: false, tier: 'A', doc: 'I= our own address and port on <= lines.' },
  incoming_port: { default: false, tier: 'A', doc: 'The port of the client after its address.' },
  lost_incoming_connection: { default: true, tier: 'A', doc: 'Sessions the client dropped.' },
  millisec: { default: false, tier: 'A', doc: 'Milliseconds in time stamps and times taken.' },
  msg_id: { default: true, tier: 'A', doc: 'id= the Message-ID: on <= lines.' },
  msg_id_created: { default: false, tier: 'B', doc: 'id*= for a Message-ID: made here.' },
  ocsp: { default: false, tier: 'C', doc: 'Requests of clients for an OCSP proof. Not a selector of Exim.' },
  outgoing_interface: { default: true, tier: 'A', doc: 'I= our own address on delivery lines.' },
  outgoing_port: { default: false, tier: 'A', doc: 'The port of the host on delivery lines.' },
  pid: { default: false, tier: 'A', doc: 'The process number on each line.' },
  pipelining: { default: false, tier: 'A', doc: 'L on lines of sessions that used pipelining.' },
  protocol_detail: { default: false, tier: 'B', doc: 'Details of early-pipelining use.' },
  proxy: { default: false, tier: 'A', doc: 'PRX= the address of the proxy.' },
  queue_run: { default: true, tier: 'A', doc: 'Start and end of queue runs.' },
  queue_time: { default: false, tier: 'A', doc: 'QT= time in the queue on delivery lines.' },
  queue_time_exclusive: { default: true, tier: 'A', doc: 'QT without the time of reception.' },
  queue_time_overall: { default: false, tier: 'A', doc: 'QT= on Completed lines.' },
  receive_time: { default: false, tier: 'A', doc: 'RT= time a reception took.' },
  received_recipients: { default: false, tier: 'A', doc: 'The recipients on <= lines.' },
  received_sender: { default: false, tier: 'A', doc: 'The sender before rewriting on <= lines.' },
  rejected_header: { default: true, tier: 'A', doc: 'Headers of refused messages in the reject log.' },
  rejected_headers: { default: false, tier: 'C', doc: 'Old name of rejected_header.' },
  retry_defer: { default: true, tier: 'A', doc: 'Addresses whose retry time has not come.' },
  return_path_on_delivery: { default: false, tier: 'A', doc: 'P= the return path on delivery lines.' },
  sender_on_delivery: { default: false, tier: 'A', doc: 'F= the sender on delivery lines.' },
  sender_verify_fail: { default: true, tier: 'A', doc: 'Failed sender verification, on a line of its own.' },
  size_reject: { default: true, tier: 'A', doc: 'Messages refused for their size.' },
  skip_delivery: { default: true, tier: 'A', doc: 'Messages left out of a queue run.' },
  smtp_confirmation: { default: true, tier: 'A', doc: 'C= the reply of the host on delivery lines.' },
  smtp_connection: { default: false, tier: 'A', doc: 'Start and end of each SMTP connection.' },
  smtp_incomplete_transaction: { default: false, tier: 'A', doc: 'Transactions begun and not ended.' },
  smtp_mailauth: { default: false, tier: 'B', doc: 'AUTH= of MAIL on <= lines.' },
  smtp_no_mail: { default: false, tier: 'A', doc: 'Sessions in which no message came.' },
  smtp_protocol_error: { default: false, tier: 'A', doc: 'Commands out of order and the like.' },
  smtp_syntax_error: { default: false, tier: 'A', doc: 'Commands with bad syntax.' },
  spf: { default: false, tier: 'A', doc: 'SPF= on <= lines.' },
  spf_verbose: { default: false, tier: 'A', doc: 'A line with each SPF result.' },
  subject: { default: false, tier: 'A', doc: 'T= the Subject: on <= lines.' },
  tls_certificate_verified: { default: true, tier: 'A', doc: 'CV= whether the certificate verified.' },
  tls_cipher: { default: true, tier: 'A', doc: 'X= TLS version and cipher.' },
  tls_on_connect: { default: false, tier: 'A', doc: 'Marks TLS from the first byte.' },
  tls_peerdn: { default: false, tier: 'A', doc: 'DN= the name in the certificate.' },
  tls_resumption: { default: false, tier: 'B', doc: 'A star behind the cipher of a resumed session.' },
  tls_sni: { default: false, tier: 'A', doc: 'SNI= the server name asked for.' },
  unknown_in_list: { default: false, tier: 'B', doc: 'List items that could not be looked up.' },
} as const satisfies Record<string, LogSelectorRow>

export type LogSelector = keyof typeof logSelectors

/**
 * Reads a `log_selector` setting: `+name`, `-name`, `+all`, `-all`, applied in order to the default set.
 * @param ports `log_ports`, which keeps port numbers out of fields that show them
 * @returns the names that are on, and the words that are no selector
 */
export function readLogSelector(
  text: string,
  ports: readonly string[] = ['*'],
): {
  on: ReadonlySet<string>
  unknown: readonly string[]
  selects: (selector: string, port?: number) => boolean
} {
  const on = new Set<string>(
    Object.entries(logSelectors).flatMap(([name, row]) => (row.default ? [name] : [])),
  )
  const unknown: string[] = []
  for (const [word, sign, name = ''] of text.matchAll(/([+=-]?)\s*([^\s+=-]+)/g)) {
    if (sign === '') unknown.push(word.trim())
    else if (name === 'all') {
      on.clear()
      if (sign === '+') for (const each of Object.keys(logSelectors)) on.add(each)
    } else if (!Object.hasOwn(logSelectors, name)) unknown.push(word.trim())
    else if (sign === '-') on.delete(name)
    else on.add(name)
  }
  const isShown = portFilter(ports)
  return {
    on,
    unknown,
    selects: (selector, port) => on.has(selector) && (port === undefined || isShown(port)),
  }
}
