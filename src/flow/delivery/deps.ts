/** What delivery asks of the rest of the program, beside the ports. */
import type { Expandable } from '../../base/expandable.ts'
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import type { Header, Recipient } from '../../mail/envelope.ts'
import type { Context, Ports, ServerFacts, Trace } from '../../ports.ts'
import type { MainSettings } from '../../language/config/options/main.ts'
import type { TransportInstance } from '../../language/config/configuration.ts'
import type { GeneratedMessage, Submitted } from '../generated-message.ts'
import type { DomainChange, GeneratedAddresses, RoutingResult, SystemFiltered } from '../routed.ts'
import type { HandedConnection } from './follow.ts'
import type { LocalJob, LocalResult } from './local-job.ts'

export type { GeneratedMessage, Submitted } from '../generated-message.ts'

/** Somebody who wants to know why a delivery goes as it goes. */
export interface Watched {
  readonly trace?: Trace
  readonly debug?: Context['debug']
  /** The ports with everything written down. */
  readonly ports: Ports
}

export interface DeliveryDeps {
  readonly server: ServerFacts
  readonly settings: MainSettings
  readonly ports: Ports
  readonly transports: ReadonlyMap<string, TransportInstance>
  /** The explanation that the delivery writes. */
  readonly trace?: Trace | undefined
  /** Set by `-d` and `-v`. */
  readonly debug?: Context['debug']
  /** Runs the recipients through the routers. */
  route(recipients: readonly Recipient[], context: Context, options: RouteOptions): Promise<RoutingResult>
  /** Runs the system filter; absent: there is none. */
  systemFilter?(context: Context): Promise<SystemFiltered>
  /** Commits a message of our own and sees to its delivery. Resolves when it is safe. */
  submit(message: GeneratedMessage): Promise<Submitted>
  /** Applies the rules of a transport's `headers_rewrite`. */
  rewriteHeaders?(headers: readonly Header[], rules: Expandable, context: Context): Promise<readonly Header[]>
  /** Puts domains in the place of others in headers. */
  changeDomains?(
    headers: readonly Header[],
    changes: readonly DomainChange[],
    context: Context,
  ): Promise<readonly Header[]>
  /** Deliveries of further messages over a connection that one was sent on; absent: each opens its own. */
  readonly following?: Following
  /** Runs a local delivery under another uid; absent: only our own uid can be used. */
  runAs?(uid: number, gid: number, job: LocalJob, body: AsyncIterable<Uint8Array>): Promise<LocalResult>
}

export interface Following {
  /** Runs it beside other work; the process does not end before it is over. */
  begin(work: () => Promise<void>): void
  /** May the message be sent now? `never`: it is gone, or frozen. */
  fits(id: string, queueName: string): 'now' | 'not now' | 'never'
  /** One attempt at what of the message goes to that host. */
  deliver(id: string, handed: HandedConnection): Promise<void>
}

export interface RouteOptions {
  /** What the system filter set up. */
  readonly generated?: GeneratedAddresses | undefined
  /** Routing retry times are not consulted. */
  readonly force: boolean
  readonly queueRun: boolean
  /** Why an address must wait: its retry time of routing is not reached, or its domain is in `queue_domains`. */
  mustWait(
    address: ByteString,
    domain: ByteString,
  ): Awaitable<{ readonly message: ByteString; readonly errno?: number } | undefined>
}
