/**
 * What a configuration means otherwise since a version: a row for each change that an administrator could notice
 * without having changed a line. `postern version --check FILE` tells of those that touch the file.
 */
import { locate, type Span } from '../../base/diagnostic.ts'
import { decodeUtf8 } from '../../base/text.ts'
import type { Configuration } from '../../language/config/configuration.ts'

export interface ChangeOfMeaning {
  /** From this version on. */
  readonly version: string
  readonly about: string
  readonly says: string
  /** Where the configuration is touched; `default`: by what it leaves out. */
  readonly touched: (configuration: Configuration) => readonly Span[] | 'default'
}

/** The newest version first. */
export const changesOfMeaning: readonly ChangeOfMeaning[] = [
  {
    version: '0.1.0',
    about: 'tls_certificate',
    says: 'without it STARTTLS is offered with a certificate that each process makes for itself; "tls_advertise_hosts =" turns it off',
    touched: ({ main, mainSetAt }) =>
      mainSetAt.has('tls_certificate') || main.tls_advertise_hosts?.text === '' ? [] : 'default',
  },
  {
    version: '0.1.0',
    about: 'acl_smtp_rcpt',
    says: '-bs without it takes no recipient',
    touched: ({ mainSetAt }) => (mainSetAt.has('acl_smtp_rcpt') ? [] : 'default'),
  },
  {
    version: '0.1.0',
    about: 'check_log_space',
    says: 'new mail is answered 452 while the disk of the logs has less free than this (10M unless set)',
    touched: ({ main, mainSetAt }) => (main.check_log_space === 0 ? [] : setOr(mainSetAt, 'check_log_space')),
  },
  ...[
    ['hold_domains', 'addresses in these domains wait until the option is changed'],
    ['queue_domains', 'mail for these domains waits for a queue run'],
    ['queue_smtp_domains', 'mail for these domains is routed at once and sent in a queue run'],
    ['queue_only_file', 'mail is only queued while one of these files is there'],
    ['daemon_startup_retries', 'the start waits for a port that is taken'],
    ['localhost_number', 'the number is part of each message id'],
    ['unknown_login', 'a caller whom the system does not know has this name'],
    ['commandline_checks_require_admin', 'only administrators may use -be, -bt, -bv and their kin'],
    ['percent_hack_domains', 'user%domain is sent on'],
    ['strip_excess_angle_brackets', '<<address>> is accepted'],
    ['mua_wrapper', 'each message is delivered at once, in one transaction or not at all'],
    ['deliver_drop_privilege', 'local deliveries run under the run-time user'],
    ['received_headers_max', 'a message with more Received: headers is refused'],
    ['smtp_return_error_details', 'clients hear the details of a refusal'],
    ['daemon_workers', 'a daemon is a parent and so many workers'],
  ].map(([option = '', says = '']) => ({
    version: '0.1.0',
    about: option,
    says: `had no effect; now ${says}`,
    touched: ({ mainSetAt }: Configuration) => spans(mainSetAt.get(option)),
  })),
  {
    version: '0.1.0',
    about: 'delay_warning',
    says: 'a warning whose time has passed while nothing ran is not made up for',
    touched: ({ mainSetAt }) => spans(mainSetAt.get('delay_warning')),
  },
  {
    version: '0.1.0',
    about: 'dkim_domain',
    says: 'dkim_* options are expanded for each host that is tried: $host, $host_address and $host_port are its own',
    touched: inTransports('dkim_domain', 'dkim_selector', 'dkim_private_key'),
  },
  {
    version: '0.1.0',
    about: 'hosts_pipe_connect',
    says: 'had no effect; now EHLO leaves before the greeting to hosts that offered PIPECONNECT',
    touched: inTransports('hosts_pipe_connect'),
  },
  {
    version: '0.1.0',
    about: 'event_action',
    says: 'tls:cert and tls:fail:connect are raised, and a result for tls:cert refuses the certificate',
    touched: (configuration) => [
      ...spans(configuration.mainSetAt.get('event_action')),
      ...inTransports('event_action')(configuration),
    ],
  },
]

/** A sentence for each change after `from` that touches the configuration. */
export function changesSince(from: string, configuration: Configuration): string[] {
  return changesOfMeaning
    .filter(({ version }) => isLater(version, from))
    .flatMap(({ version, about, says, touched }) => {
      const at = touched(configuration)
      const since = `${about}: since ${version} ${says}`
      if (at === 'default') return [`(not set) ${since}`]
      return at.map((span) => `${placeOf(span)}: ${since}`)
    })
}

/** By major, minor and patch number; what follows them does not count. */
export function isLater(a: string, b: string): boolean {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  const differs = [0, 1, 2].find((i) => left[i] !== right[i])
  return differs !== undefined && (left[differs] ?? 0) > (right[differs] ?? 0)
}

export function isVersion(text: string): boolean {
  return /^\d+(?:\.\d+){0,2}(?:-\S+)?$/.test(text)
}

function numbersOf(version: string): number[] {
  const parts = version.replace(/-.*$/s, '').split('.')
  return [0, 1, 2].map((i) => Number(parts[i] ?? 0))
}

function inTransports(...options: readonly string[]) {
  return ({ transports }: Configuration): Span[] =>
    [...transports.values()].flatMap(({ setAt }) => {
      const first = options.map((option) => setAt.get(option)).find((span) => span !== undefined)
      return spans(first)
    })
}

function setOr(setAt: ReadonlyMap<string, Span>, option: string): readonly Span[] | 'default' {
  const at = setAt.get(option)
  return at === undefined ? 'default' : [at]
}

function spans(span: Span | undefined): Span[] {
  return span === undefined ? [] : [span]
}

function placeOf(span: Span): string {
  const { file, line } = locate(span)
  return `${decodeUtf8(file)}:${line}`
}
