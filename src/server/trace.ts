/**
 * Explanations: a tree of steps, each with what was asked, where that stands in the configuration, what came of it and
 * how long it took. Bounded in number and size, so that no message can make one large.
 */
import { locate, type Span } from '../base/diagnostic.ts'
import { after, type Awaitable, Failure, type Outcome } from '../base/outcome.ts'
import { decodeUtf8, textOf, type ByteString, type Text } from '../base/text.ts'
import type {
  Context,
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
}

const mostNodes = 4000
const longestText = 2000

/** @param now milliseconds, for the times of the steps */
export function createTrace(what: ByteString, now: () => number): Explanation {
  const began = now()
  let nodes = 0
  const step = (node: TraceNode): Explanation => ({
    root: node,
    begin(kind, inner, at) {
      if (++nodes > mostNodes) {
        node.leftOut = (node.leftOut ?? 0) + 1
        return leftOut
      }
      const child: TraceNode = { kind, what: cut(inner), ...placeOf(at), at: now() - began }
      ;(node.children ??= []).push(child)
      return step(child)
    },
    end(result) {
      node.result = cut(result)
      node.took = now() - began - node.at
    },
  })
  return step({ kind: 'message', what: cut(what), at: 0 })
}

const leftOut: Trace = { begin: () => leftOut, end: () => undefined }

function cut(text: ByteString): string {
  return decodeUtf8(text.length > longestText ? `${text.slice(0, longestText)}...` : text)
}

function placeOf(
  at: Span | { readonly file: string; readonly line: number } | undefined,
): Pick<TraceNode, 'file' | 'line' | 'column'> {
  if (at === undefined) return {}
  if ('file' in at) return { file: decodeUtf8(at.file), line: at.line }
  const { file, line, column } = locate(at)
  return file === '(built in)' ? {} : { file: decodeUtf8(file), line, column }
}

/** The ports with each question and its answer written down, for contexts that carry a trace. */
export function traced(ports: Ports): Ports {
  const follow = <T>(
    context: Context,
    kind: TraceKind,
    what: ByteString,
    at: Span | undefined,
    ask: (context: Context) => Awaitable<T>,
    tell: (result: T) => ByteString,
  ): Awaitable<T> => {
    const step = context.trace?.begin(kind, what, at)
    if (step === undefined) return ask(context)
    return after(ask({ ...context, trace: step }), (result) => {
      step.end(tell(result))
      return result
    })
  }
  return {
    ...ports,
    // A getter: the log is known only later.
    get log() {
      return ports.log
    },
    expand: (text, context) =>
      /[$\\]/.test(text.text)
        ? follow(
            context,
            'expansion',
            text.text,
            text.span(),
            (inner) => ports.expand(text, inner),
            outcomeText,
          )
        : ports.expand(text, context),
    matchList: (kind, list, subject, context, options) =>
      follow(
        context,
        'list',
        `${subjectText(subject)} in ${kind} list ${list.text}`,
        list.span(),
        (inner) => ports.matchList(kind, list, subject, inner, options),
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
  }
}

/** The DNS has no context of its own: its questions go to whatever step `trace` is. */
export function tracedDns(ports: Ports, trace: Trace): Ports {
  return {
    ...ports,
    get log() {
      return ports.log
    },
    async dns(name, type, options) {
      const step = trace.begin('dns', `${name} ${type}`)
      const answer = await ports.dns(name, type, options)
      const values = answer.records.map((record) =>
        JSON.stringify({ ...record, name: undefined, type: undefined }),
      )
      step.end(answer.status === 'found' ? values.join(' ') : answer.status)
      return answer
    },
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
