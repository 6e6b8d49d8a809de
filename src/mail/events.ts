/**
 * The events, one row each. Source: Exim manual, "Events", with those of the releases after 4.96.
 * `$event_data` and the order of events are as observed of Exim 4.96.
 */

export interface EventRow {
  readonly doc: string
  /** Which `event_action` it is for: that of the main section, that of the transport, or of whichever is at work. */
  readonly section: 'main' | 'transport' | 'both'
  /** `before` what it tells of: its result may stop that. */
  readonly when: 'before' | 'after'
  /** What `$event_data` holds; empty: nothing. */
  readonly data: string
  /** What a result that is not empty does; absent: nothing. */
  readonly result?: 'refuses' | 'logged'
  /** `$event_defer_errno` is set. */
  readonly errno?: true
  /** The transport option of 2014 for the same moment. */
  readonly actionOf2014?: 'tpda_delivery_action' | 'tpda_host_defer_action'
}

const rows = {
  'auth:fail': {
    doc: 'Authentication failed, of a client here or of ours elsewhere.',
    section: 'both',
    when: 'after',
    data: 'the SMTP response',
    result: 'logged',
  },
  'dane:fail': {
    doc: 'DANE did not authenticate a server.',
    section: 'transport',
    when: 'after',
    data: 'the reason',
  },
  'dns:fail': {
    doc: 'A look-up that routing or delivery needs failed.',
    section: 'both',
    when: 'after',
    data: 'a list: the reason (nxdomain or again), the name, the record type',
  },
  'msg:complete': {
    doc: 'All recipients of a message are done.',
    section: 'main',
    when: 'after',
    data: '',
  },
  'msg:defer': {
    doc: 'An attempt at a host was deferred, for whatever reason.',
    section: 'transport',
    when: 'after',
    data: 'the error',
    errno: true,
  },
  'msg:delivery': {
    doc: 'A message was delivered to a recipient.',
    section: 'transport',
    when: 'after',
    data: 'the SMTP confirmation',
    actionOf2014: 'tpda_delivery_action',
  },
  'msg:fail:delivery': {
    doc: 'A delivery to a recipient failed for good.',
    section: 'transport',
    when: 'after',
    data: 'the SMTP error',
  },
  'msg:fail:internal': {
    doc: 'A recipient failed before any transport saw it.',
    section: 'main',
    when: 'after',
    data: 'the reason',
  },
  'msg:host:defer': {
    doc: 'A host could not be used, for a reason that is not of this message.',
    section: 'transport',
    when: 'after',
    data: 'the error',
    errno: true,
    actionOf2014: 'tpda_host_defer_action',
  },
  'msg:rcpt:defer': {
    doc: 'A recipient was deferred.',
    section: 'transport',
    when: 'after',
    data: 'the error',
    errno: true,
  },
  'msg:rcpt:host:defer': {
    doc: 'A host deferred a recipient.',
    section: 'transport',
    when: 'after',
    data: 'the error',
    errno: true,
  },
  'smtp:connect': {
    doc: 'A server greeted us.',
    section: 'transport',
    when: 'after',
    data: 'the banner',
    result: 'refuses',
  },
  'smtp:ehlo': {
    doc: 'A server answered EHLO.',
    section: 'transport',
    when: 'after',
    data: 'the response',
  },
  'smtp:fail:protocol': {
    doc: 'A client did what the protocol forbids.',
    section: 'main',
    when: 'after',
    data: 'the error',
  },
  'smtp:fail:syntax': {
    doc: 'A client sent what is no command, or one with wrong arguments.',
    section: 'main',
    when: 'after',
    data: 'the error',
  },
  'tcp:close': {
    doc: 'A connection to a server was closed.',
    section: 'transport',
    when: 'after',
    data: '',
  },
  'tcp:connect': {
    doc: 'A connection to a server is about to be made.',
    section: 'transport',
    when: 'before',
    data: '',
    result: 'refuses',
  },
  'tls:cert': {
    doc: 'A certificate of a chain is being judged.',
    section: 'both',
    when: 'before',
    data: 'its depth in the chain',
    result: 'refuses',
  },
  'tls:fail:connect': {
    doc: 'TLS with a client could not be begun.',
    section: 'main',
    when: 'after',
    data: 'the error',
  },
} as const satisfies Readonly<Record<string, EventRow>>

export type EventName = keyof typeof rows

export const events: Readonly<Record<EventName, EventRow>> = rows
