/** The ports with each question and its answer written down, for contexts that carry a trace. */
import type { Expandable } from '../base/expandable.ts'
import { Noted } from '../base/noted.ts'
import { type Awaitable, Failure, type Outcome } from '../base/outcome.ts'
import { textOf, type ByteString, type Text } from '../base/text.ts'
import type { Configuration } from '../language/config/configuration.ts'
import type {
  Context,
  DnsRecord,
  HostSubject,
  ListResult,
  LookupResult,
  Ports,
  Trace,
  VerifyResult,
} from '../ports.ts'

/** What an explanation says of a piece of the configuration, found out once and kept with it. */
class Explained {
  readonly configuration: Configuration
  /** It holds a password, or may: neither its words nor what comes of it are shown. */
  readonly secret: boolean
  readonly noted: Noted
  #listKind = ''
  #list: Noted | undefined

  constructor(text: Expandable, context: Context) {
    this.configuration = context.server.configuration
    this.secret = isSecret(text, context)
    this.noted = new Noted(this.secret ? `${text.name} (not shown)` : text.text, text.span())
  }

  list(kind: string, text: Expandable): Noted {
    // A text is a list of one kind, nearly always.
    if (this.#listKind !== kind || this.#list === undefined) {
      this.#listKind = kind
      this.#list = new Noted(` in ${kind} list ${this.secret ? '(not shown)' : text.text}`, this.noted.at)
    }
    return this.#list
  }
}

function explained(text: Expandable, context: Context): Explained {
  const known = text.explained
  // What is secret is said by the configuration.
  if (known instanceof Explained && known.configuration === context.server.configuration) return known
  const made = new Explained(text, context)
  text.explained = made
  return made
}

/** The ports with each question and its answer written down, for contexts that carry a trace. */
export function traced(ports: Ports): Ports {
  const known = tracedPorts.get(ports)
  if (known !== undefined) return known
  const made = makeTraced(ports)
  tracedPorts.set(ports, made)
  return made
}

/** They hold nothing of a session, so that all can share them. */
const tracedPorts = new WeakMap<Ports, Ports>()

function makeTraced(ports: Ports): Ports {
  const own: Partial<Ports> = {
    expand(text, context) {
      const { trace } = context
      if (trace === undefined || text.isPlain) return ports.expand(text, context)
      const { secret, noted } = explained(text, context)
      if (secret) {
        trace.note('expansion', '', '(not shown)', noted)
        return ports.expand(text, { ...context, trace: undefined })
      }
      return told(trace.begin('expansion', '', noted), ports.expand(text, context), outcomeText)
    },
    matchList(kind, list, subject, context, options) {
      const { trace } = context
      if (trace === undefined) return ports.matchList(kind, list, subject, context, options)
      const step = trace.begin('list', subjectText(subject), explained(list, context).list(kind, list))
      return told(step, ports.matchList(kind, list, subject, context, options), listText)
    },
    matchListText(kind, list, subject, context, options) {
      const what = `${subjectText(subject)} in ${kind} list ${textOf(list)}`
      const step = context.trace?.begin('list', what)
      return told(step, ports.matchListText(kind, list, subject, context, options), listText)
    },
    lookup(request, context) {
      const inFile = request.file === undefined ? '' : ` in ${textOf(request.file)}`
      const step = context.trace?.begin('lookup', `${request.type} ${textOf(request.key)}${inFile}`)
      return told(step, ports.lookup(request, context), lookupText)
    },
    verify(request, context) {
      const { trace } = context
      if (trace === undefined) return ports.verify(request, context)
      const step = trace.begin('verify', `${request.kind} ${request.address}`)
      return toldLater(step, ports.verify(request, context), verifyText)
    },
    async lookUpHostName(connection, context) {
      if (connection.hostLookup !== 'not done') return ports.lookUpHostName(connection, context)
      const step = context.trace?.begin('dns', `name of ${connection.hostAddress ?? ''}`)
      await ports.lookUpHostName(connection, context)
      step?.end(connection.hostName ?? connection.hostLookup)
    },
  } // Everything else is that of `ports`, asked when it is needed.
  return Object.assign(Object.create(ports) as Ports, own)
}

/** Ends a step with what came, now or later. */
function told<T>(
  step: Trace | undefined,
  result: Awaitable<T>,
  tell: (result: T) => ByteString,
): Awaitable<T> {
  if (step === undefined) return result
  if (result instanceof Promise) return toldLater(step, result, tell)
  step.end(tell(result))
  return result
}

/** For itself: a function that holds a closure makes room for it each time, also where none is made. */
function toldLater<T>(step: Trace, result: Promise<T>, tell: (result: T) => ByteString): Promise<T> {
  return result.then((settled) => {
    step.end(tell(settled))
    return settled
  })
}

const secretNames = new WeakMap<Configuration, ReadonlySet<string>>()

/** What is written with `hide`, and options whose names say that they hold a password. */
function isSecret({ name }: Expandable, { server: { configuration } }: Context): boolean {
  let names = secretNames.get(configuration)
  if (names === undefined) {
    names = new Set([
      ...[...configuration.hidden].map((each) => each.slice(each.lastIndexOf('.') + 1)),
      ...Object.values(configuration.namedLists).flatMap((lists) =>
        [...lists.values()].filter(({ hide }) => hide).map((list) => list.value.name),
      ),
    ])
    secretNames.set(configuration, names)
  }
  return (name !== '' && names.has(name)) || /password|secret/.test(name)
}

/**
 * Ports that follow the work of one lane of an explanation: the DNS, files and logs have no context of their own, so what they
 * are asked goes to whatever step `here` is.
 */
export interface LanePorts extends Ports {
  /** The same for another lane. */
  [onLane](here: Trace): Ports
}

export const onLane: unique symbol = Symbol('onLane')

/** For work that goes on beside other work. */
export function portsOnLane(ports: Ports, here: Trace): Ports {
  return onLane in ports ? (ports as LanePorts)[onLane](here) : tracedDns(ports, here)
}

/** The DNS alone. */
export function tracedDns(base: Ports, here: Trace): Ports {
  const own: Pick<LanePorts, 'dns' | 'hostAddresses' | typeof onLane> = {
    dns: (name, type, options) => noteDns(base, here, name, type, options),
    hostAddresses: (name, options) => noteAddresses(base, here, name, options),
    [onLane]: (other) => tracedDns(base, other),
  }
  // Everything else is that of `base`.
  return Object.assign(Object.create(base) as Ports, own)
}

export async function noteDns(
  base: Ports,
  here: Trace,
  ...[name, type, options]: Parameters<Ports['dns']>
): ReturnType<Ports['dns']> {
  const step = here.begin('dns', `${name} ${type}`)
  const answer = await base.dns(name, type, options)
  step.end(answer.status === 'found' ? answer.records.map(recordText).join(', ') : answer.status)
  return answer
}

export async function noteAddresses(
  base: Ports,
  here: Trace,
  ...[name, options]: Parameters<Ports['hostAddresses']>
): ReturnType<Ports['hostAddresses']> {
  const step = here.begin('dns', `addresses of ${name}`)
  const found = await base.hostAddresses(name, options)
  step.end(found.is === 'found' ? found.addresses.join(', ') : found.is)
  return found
}

function recordText(record: DnsRecord): ByteString {
  switch (record.type) {
    case 'MX':
      return `${record.preference} ${record.exchange}`
    case 'TXT':
    case 'SPF':
      return `"${record.strings.join('')}"`
    case 'SRV':
    case 'CSA':
      return `${record.priority} ${record.weight} ${record.port} ${record.target}`
    case 'SOA':
      return `${record.mname} ${record.rname} ${record.serial}`
    case 'TLSA':
      return `${record.usage} ${record.selector} ${record.matching} ${Buffer.from(record.data).toString('hex')}`
    default:
      return record.value
  }
}

function outcomeText(outcome: Outcome): ByteString {
  return outcome instanceof Failure ? `${outcome.kind}: ${outcome.message}` : textOf(outcome)
}

function subjectText(subject: Text | HostSubject): ByteString {
  return typeof subject === 'object' && 'address' in subject ? (subject.address ?? '') : textOf(subject)
}

function listText(result: ListResult): ByteString {
  switch (result.is) {
    case 'match':
      return result.data === undefined || textOf(result.data) === '' ? 'yes' : `yes: ${textOf(result.data)}`
    case 'no':
      return 'no'
    case 'defer':
    case 'failure':
      return `${result.is}: ${result.message}`
  }
}

function lookupText(result: LookupResult): ByteString {
  switch (result.is) {
    case 'found':
      return `found: ${textOf(result.data)}`
    case 'none':
      return 'not found'
    case 'defer':
    case 'failure':
      return `${result.is}: ${result.message}`
  }
}

function verifyText({ is, userMessage, logMessage }: VerifyResult): ByteString {
  const why = logMessage ?? userMessage
  return why === undefined ? is : `${is}: ${why}`
}
