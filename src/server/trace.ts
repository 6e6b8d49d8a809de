/**
 * Explanations: a tree of steps, each with what was asked, where that stands in the configuration, what came of it and
 * how long it took. Bounded in number and size, so that no message can make one large.
 */
import { locate, type Span } from '../base/diagnostic.ts'
import type { Expandable } from '../base/expandable.ts'
import { after, type Awaitable, Failure, type Outcome } from '../base/outcome.ts'
import { decodeUtf8, textOf, type ByteString, type Text } from '../base/text.ts'
import type { Configuration } from '../language/config/configuration.ts'
import type {
  Context,
  DnsRecord,
  HostSubject,
  ListResult,
  LookupResult,
  Ports,
  Trace,
  TraceKind,
  VerifyResult,
} from '../ports.ts'

export interface TraceNode {
  readonly kind: TraceKind
  readonly what: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** Milliseconds after the explanation began. */
  readonly at: number
  took?: number
  result?: string
  children?: TraceNode[]
  /** Steps that were left out of here because the explanation is full. */
  leftOut?: number
}

export interface Explanation extends Trace {
  readonly root: TraceNode
  /** Begins steps within whatever step is under way: for work that has no context of its own. */
  readonly here: Trace
  /** How much of the room for steps is taken, 0 to 1. */
  readonly fill: number
  /** From now on nothing that is written down shows this. */
  conceal(secret: ByteString): void
}

export interface TraceLimits {
  readonly nodes: number
  /** Bytes of one text. */
  readonly text: number
  /** Texts that no condition, list or router asked for are left out: the greeting, the Received: header. */
  readonly terse?: boolean
}

const generous: TraceLimits = { nodes: 4000, text: 2000 }

/** @param now milliseconds, for the times of the steps */
export function createTrace(
  what: ByteString,
  now: () => number,
  limits: TraceLimits = generous,
): Explanation {
  const writer: Writer = { now, began: now(), nodes: 0, limits, secrets: [] }
  const lane: Lane = { current: undefined }
  const root = new Step({ kind: 'message', what: shown(what, writer), at: 0 }, writer, lane, undefined)
  lane.current = root
  return {
    root: root.node,
    begin: (kind, inner, at) => root.begin(kind, inner, at),
    end: (result) => root.end(result),
    within: (context) => root.within(context),
    here: hereOf(lane),
    get fill() {
      return writer.nodes / limits.nodes
    },
    conceal(secret) {
      // A shorter one would hide half of what is written.
      if (secret.length >= 4 && writer.secrets.length < mostSecrets) writer.secrets.push(secret)
    },
  }
}

const mostSecrets = 50

/** What all steps of an explanation share. */
interface Writer {
  readonly now: () => number
  readonly began: number
  readonly limits: TraceLimits
  readonly secrets: ByteString[]
  nodes: number
}

/** Work that goes one step after the other; the step it is at. */
interface Lane {
  current: Step | undefined
}

/** Steps that are over at once, and of which several may be under way side by side. */
const leaves: ReadonlySet<TraceKind> = new Set<TraceKind>(['dns', 'log', 'reply', 'variable'])

/** What is worth keeping only where something is decided. */
const dull: ReadonlySet<TraceKind> = new Set<TraceKind>(['expansion', 'variable'])
const deciding: ReadonlySet<TraceKind> = new Set<TraceKind>(['statement', 'condition', 'list', 'router'])

/**
 * A new step stands within the one that its lane is at, whichever it is begun through: so nobody has to hand a context of its
 * own to the work within a step, and what is kept of many sessions stays cheap.
 */
class Step implements Trace {
  readonly node: TraceNode
  readonly #writer: Writer
  readonly #lane: Lane
  readonly #parent: Step | undefined
  readonly #decides: boolean

  constructor(
    node: TraceNode,
    writer: Writer,
    lane: Lane,
    parent: Step | undefined,
    decides: boolean = false,
  ) {
    this.#decides = decides
    this.node = node
    this.#writer = writer
    this.#lane = lane
    this.#parent = parent
  }

  begin(kind: TraceKind, what: ByteString, at?: Span | Place): Trace {
    return (this.#lane.current ?? this).#beginHere(kind, what, at)
  }

  #beginHere(kind: TraceKind, what: ByteString, at: Span | Place | undefined): Trace {
    const writer = this.#writer
    const { node } = this
    if (writer.limits.terse === true && dull.has(kind) && !this.#decides) return nothing
    if (++writer.nodes > writer.limits.nodes) {
      node.leftOut = (node.leftOut ?? 0) + 1
      return leftOut
    }
    const child: TraceNode = { kind, what: shown(what, writer), at: writer.now() - writer.began }
    if (at !== undefined) Object.assign(child, placeOf(at))
    if (node.children === undefined) node.children = [child]
    else node.children.push(child)
    const step = new Step(child, writer, this.#lane, this, this.#decides || deciding.has(kind))
    if (!leaves.has(kind)) this.#lane.current = step
    return step
  }

  end(result: ByteString): void {
    const { node } = this
    node.result = shown(result, this.#writer)
    node.took = this.#writer.now() - this.#writer.began - node.at
    const lane = this.#lane
    // Work that went on in the background may end late: then the lane is elsewhere and stays there.
    for (let step = lane.current; step !== undefined; step = step.#parent) {
      if (step !== this) continue
      if (this.#parent !== undefined) lane.current = this.#parent
      return
    }
  }

  within(context: Context): Context {
    const lane: Lane = { current: undefined }
    const own = new Step(this.node, this.#writer, lane, undefined, this.#decides)
    lane.current = own
    return { ...context, trace: own, ports: tracedDns(context.ports, hereOf(lane)) }
  }
}

function hereOf(lane: Lane): Trace {
  return {
    begin: (kind, what, at) => lane.current?.begin(kind, what, at) ?? leftOut,
    end: () => undefined,
  }
}

const nothing: Trace = { begin: () => nothing, end: () => undefined }

const leftOut: Trace = { begin: () => leftOut, end: () => undefined }

/** Passwords in queries and lists of servers; who wrote them knows them. */
const passwords = /\b(pass(?:word)?|servers|secret)(\s*=\s*)("[^"]*"|[^\s{}"]+)/gi

const mayHidePassword = /pass|servers|secret/i

function shown(text: ByteString, { limits, secrets }: Writer): string {
  let cut = text.length > limits.text ? `${text.slice(0, limits.text)}...` : text
  if (cut.includes('=') && mayHidePassword.test(cut)) cut = cut.replace(passwords, '$1$2****')
  for (const secret of secrets) cut = cut.replaceAll(secret, '****')
  // Nearly all is ASCII, and needs no new text.
  return /[\x80-\xff]/.test(cut) ? decodeUtf8(cut) : cut
}

type Place = { readonly file: string; readonly line: number; readonly column?: number }

/** A place is looked up once for each piece of the configuration: the same ones come with every message. */
const places = new WeakMap<object, Place | undefined>()

function placeOf(at: Span | Place): Place | undefined {
  if ('file' in at) return at
  if (places.has(at)) return places.get(at)
  const { file, line, column } = locate(at)
  const place = file === '(built in)' ? undefined : { file: decodeUtf8(file), line, column }
  places.set(at, place)
  return place
}

function placeOfText(text: Expandable): Place | undefined {
  if (places.has(text)) return places.get(text)
  const place = placeOf(text.span())
  places.set(text, place)
  return place
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
  const follow = <T>(
    context: Context,
    kind: TraceKind,
    what: ByteString,
    at: Place | undefined,
    ask: (context: Context) => Awaitable<T>,
    tell: (result: T) => ByteString,
  ): Awaitable<T> => {
    const step = context.trace?.begin(kind, what, at)
    if (step === undefined) return ask(context)
    return after(ask(context), (result) => {
      step.end(tell(result))
      return result
    })
  }
  const own: Partial<Ports> = {
    expand(text, context) {
      if (context.trace === undefined || !/[$\\]/.test(text.text)) return ports.expand(text, context)
      const at = placeOfText(text)
      if (isSecret(text, context)) {
        context.trace.begin('expansion', `${text.name} (not shown)`, at).end('(not shown)')
        return ports.expand(text, { ...context, trace: undefined })
      }
      return follow(context, 'expansion', text.text, at, (inner) => ports.expand(text, inner), outcomeText)
    },
    matchList: (kind, list, subject, context, options) =>
      follow(
        context,
        'list',
        `${subjectText(subject)} in ${kind} list ${isSecret(list, context) ? '(not shown)' : list.text}`,
        placeOfText(list),
        (inner) => ports.matchList(kind, list, subject, inner, options),
        listText,
      ),
    matchListText: (kind, list, subject, context, options) =>
      follow(
        context,
        'list',
        `${subjectText(subject)} in ${kind} list ${textOf(list)}`,
        undefined,
        (inner) => ports.matchListText(kind, list, subject, inner, options),
        listText,
      ),
    lookup: (request, context) =>
      follow(
        context,
        'lookup',
        `${request.type} ${textOf(request.key)}${request.file === undefined ? '' : ` in ${textOf(request.file)}`}`,
        undefined,
        (inner) => ports.lookup(request, inner),
        lookupText,
      ),
    verify: (request, context) =>
      Promise.resolve(
        follow(
          context,
          'verify',
          `${request.kind} ${request.address}`,
          undefined,
          (inner) => ports.verify(request, inner),
          verifyText,
        ),
      ),
    async lookUpHostName(connection, context) {
      if (connection.hostLookup !== 'not done') return ports.lookUpHostName(connection, context)
      const step = context.trace?.begin('dns', `name of ${connection.hostAddress ?? ''}`)
      await ports.lookUpHostName(connection, context)
      step?.end(connection.hostName ?? connection.hostLookup)
    },
  } // Everything else is that of `ports`, asked when it is needed.
  return Object.assign(Object.create(ports) as Ports, own)
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
 * The DNS has no context of its own: its questions go to whatever step `trace` is. The rest is inherited: a copy for each
 * session would cost more than the session's steps.
 */
export function tracedDns(ports: Ports, trace: Trace): Ports {
  const base = (ports as MaybeTraced)[untraced] ?? ports
  const own: Pick<Ports, 'dns' | 'hostAddresses'> = {
    async dns(name, type, options) {
      const step = trace.begin('dns', `${name} ${type}`)
      const answer = await base.dns(name, type, options)
      step.end(answer.status === 'found' ? answer.records.map(recordText).join(', ') : answer.status)
      return answer
    },
    async hostAddresses(name, options) {
      const step = trace.begin('dns', `addresses of ${name}`)
      const found = await base.hostAddresses(name, options)
      step.end(found.is === 'found' ? found.addresses.join(', ') : found.is)
      return found
    },
  }
  // Everything else is that of `ports`.
  return Object.assign(Object.create(ports) as Ports, own, { [untraced]: base })
}

/** What the DNS is asked through: a lane within another writes its questions down once. */
const untraced: unique symbol = Symbol('untraced')
type MaybeTraced = Ports & { readonly [untraced]?: Ports }

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
