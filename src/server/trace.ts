/**
 * Explanations: steps, each with what was asked, where that stands in the configuration, what came of it and how long it
 * took. Bounded in number and size, so that no message can make one large.
 */
import type { Noted, NotedPlace } from '../base/noted.ts'
import type { ByteString } from '../base/text.ts'
import type { Context, Trace, TraceKind } from '../ports.ts'
import { readTrace, type TraceNode } from './trace-read.ts'
import { traceKinds, TraceTable } from './trace-table.ts'
import { type TraceLimits, TraceTape } from './trace-tape.ts'
import { portsOnLane } from './traced-ports.ts'

export type { TraceNode } from './trace-read.ts'
export type { TraceLimits } from './trace-tape.ts'

const generous: TraceLimits = { nodes: 4000, text: 2000, bytes: 8 * 2 ** 20 }

/** @param now milliseconds, for the times of the steps */
export function startTrace(
  what: ByteString,
  now: () => number,
  limits: TraceLimits = generous,
  table: TraceTable = new TraceTable(),
): Explanation {
  const tape = new TraceTape(table, now, limits)
  const lane = new Lane(tape)
  const root = new Step(lane, undefined, tape.begin(0, 0, 0, what, undefined), 0)
  lane.current = root
  return new Explanation(tape, root, lane)
}

export class Explanation implements Trace {
  readonly #tape: TraceTape
  readonly #root: Step
  readonly #lane: Lane
  /** Begins steps within whatever step is under way: for work that has no context of its own. */
  readonly here: Trace

  constructor(tape: TraceTape, root: Step, lane: Lane) {
    this.#tape = tape
    this.#root = root
    this.#lane = lane
    this.here = new Here(lane)
  }

  /** The steps so far. */
  get root(): TraceNode {
    const tape = this.#tape
    this.#lane.leave()
    tape.finish()
    // What was just written can be read.
    return readTrace(tape.bytes(), tape.table.from(0)) ?? { kind: 'message', what: '', at: 0 }
  }

  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace {
    return this.#root.begin(kind, what, at)
  }

  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void {
    this.#root.note(kind, what, result, at)
  }

  end(result: ByteString): void {
    this.#root.end(result)
  }

  within(context: Context): Context {
    return this.#root.within(context)
  }

  /** How much of the room for steps is taken, 0 to 1. */
  get fill(): number {
    return this.#tape.fill
  }

  /** From now on nothing that is written down shows this. */
  conceal(secret: ByteString): void {
    this.#tape.conceal(secret)
  }

  /** Gives the steps as they are kept, to be copied, and ends: what comes later is not written down. */
  close(take: (bytes: Buffer, length: number) => void): void {
    this.#lane.leave()
    this.#tape.finish()
    this.#tape.give(take)
    this.#tape.close()
  }
}

/** Work that goes one step after the other; the step it is at. */
class Lane {
  readonly tape: TraceTape
  current: Step | undefined = undefined
  constructor(tape: TraceTape) {
    this.tape = tape
  }

  /** Writes down what is still under way: a client that is gone while an ACL waits. */
  leave(): void {
    while (this.current?.leave() === true);
  }
}

interface KindFacts {
  readonly number: number
  /** Several may be under way side by side, and none of its lane's steps stand within it. */
  readonly leaf: boolean
  /** What is worth keeping only where something is decided. */
  readonly dull: boolean
  /** 1: something is decided in it. */
  readonly deciding: 0 | 1
  /** Over before anything else begins beside it, nearly always: it is written down when it ends, in one record. */
  readonly brief: boolean
  /** What takes time in it is a step of its own. */
  readonly idle: boolean
}

const leaves: ReadonlySet<TraceKind> = new Set<TraceKind>(['dns', 'sent'])
const dull: ReadonlySet<TraceKind> = new Set<TraceKind>(['expansion', 'variable'])
const deciding: ReadonlySet<TraceKind> = new Set<TraceKind>(['statement', 'condition', 'list', 'router'])

const brief: ReadonlySet<TraceKind> = new Set<TraceKind>([
  'statement',
  'condition',
  'list',
  'expansion',
  'sent',
])
const idle: ReadonlySet<TraceKind> = new Set<TraceKind>(['statement', 'list'])

const kindFacts = (kind: TraceKind, number: number): KindFacts => ({
  number,
  leaf: leaves.has(kind),
  dull: dull.has(kind),
  deciding: deciding.has(kind) ? 1 : 0,
  brief: brief.has(kind),
  idle: idle.has(kind),
})
const factsOfKinds = Object.fromEntries(
  traceKinds.map((kind, number) => [kind, kindFacts(kind, number)]),
) as Readonly<Record<TraceKind, KindFacts>>

/**
 * A new step stands within the one that its lane is at, whichever it is begun through: so nobody has to hand a context of its
 * own to the work within a step, and what is kept of many sessions stays cheap.
 */
class Step implements Trace {
  readonly #lane: Lane
  readonly #parent: Step | undefined
  /** The step that stands there for those within it: itself, or what it stands in while it is not written down. */
  readonly #number: number
  /** How deep it stands, doubled; odd when something is decided in it. In one: half of what a message costs here is garbage. */
  readonly #depth: number
  /** Of what is written down only when it ends: what it is, and how many steps were before it, later ones being within it. */
  readonly #facts: KindFacts | undefined
  readonly #what: ByteString
  readonly #noted: Noted | undefined
  readonly #since: number

  constructor(
    lane: Lane,
    parent: Step | undefined,
    number: number,
    depth: number,
    facts?: KindFacts,
    what: ByteString = '',
    noted?: Noted,
    since: number = 0,
  ) {
    this.#lane = lane
    this.#parent = parent
    this.#number = number
    this.#depth = depth
    this.#facts = facts
    this.#what = what
    this.#noted = noted
    this.#since = since
  }

  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace {
    return (this.#lane.current ?? this).#beginHere(kind, what, at)
  }

  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void {
    ;(this.#lane.current ?? this).#noteHere(kind, what, result, at)
  }

  #beginHere(kind: TraceKind, what: ByteString, at: Noted | NotedPlace | undefined): Trace {
    const facts = factsOfKinds[kind]
    const lane = this.#lane
    const { tape } = lane
    if (tape.terse && facts.dull && (this.#depth & 1) === 0) return nothing
    const noted = at === undefined ? undefined : tape.table.noted(at)
    const depth = this.#depth + 2
    const own = depth | facts.deciding
    if (facts.brief) {
      if (!tape.takes(this.#number, depth >> 1)) return nothing
      const step = new Step(lane, this, this.#number, own, facts, what, noted, tape.steps)
      if (!facts.leaf) lane.current = step
      return step
    }
    const number = tape.begin(facts.number, this.#number, depth >> 1, what, noted)
    if (number < 0) return nothing
    // What goes on side by side has a lane of its own.
    if (facts.leaf) return new Step(new Lane(tape), this, number, own)
    return (lane.current = new Step(lane, this, number, own))
  }

  #noteHere(kind: TraceKind, what: ByteString, result: ByteString, at: Noted | NotedPlace | undefined): void {
    const { tape } = this.#lane
    // Asked first, as it is so for most of them.
    if (kind === 'variable' && tape.terse && (this.#depth & 1) === 0) return
    const facts = factsOfKinds[kind]
    if (tape.terse && facts.dull && (this.#depth & 1) === 0) return
    const noted = at === undefined ? undefined : tape.table.noted(at)
    if (!tape.takes(this.#number, (this.#depth >> 1) + 1)) return
    tape.note(facts.number, this.#number, what, result, noted)
  }

  /** Ends as the innermost one; false: there was nothing to be written down. */
  leave(): boolean {
    const parent = this.#parent
    if (parent === undefined) return false
    if (this.#facts === undefined) this.#lane.current = parent
    else this.end('')
    return true
  }

  end(result: ByteString): void {
    const lane = this.#lane
    const facts = this.#facts
    if (facts === undefined) lane.tape.end(this.#number, result)
    else {
      const { tape } = lane
      const since = facts.leaf ? tape.steps : this.#since
      tape.over(facts.number, this.#number, since, !facts.idle, this.#what, result, this.#noted)
      if (facts.leaf) return
    }
    // Nearly always.
    if (lane.current === this) {
      if (this.#parent !== undefined) lane.current = this.#parent
      return
    }
    // Work that went on in the background may end late: then the lane is elsewhere and stays there.
    for (let step = lane.current; step !== undefined; step = step.#parent) {
      if (step !== this) continue
      if (this.#parent !== undefined) lane.current = this.#parent
      return
    }
  }

  within(context: Context): Context {
    const lane = new Lane(this.#lane.tape)
    const own = new Step(lane, undefined, this.#number, this.#depth)
    lane.current = own
    return { ...context, trace: own, ports: portsOnLane(context.ports, new Here(lane)) }
  }
}

class Here implements Trace {
  readonly #lane: Lane
  constructor(lane: Lane) {
    this.#lane = lane
  }
  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace {
    return this.#lane.current?.begin(kind, what, at) ?? nothing
  }
  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void {
    this.#lane.current?.note(kind, what, result, at)
  }
  end(): void {}
}

/** A step that is not written down. */
class Nothing implements Trace {
  begin(): Trace {
    return this
  }
  note(): void {}
  end(): void {}
}

const nothing: Trace = new Nothing()
