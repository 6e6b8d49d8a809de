/** What matching can cost at worst, and the bytes that a match can begin with: told from the tree of an expression. */
import { canBeEmpty, type ByteSet, type RegexNode } from './regex-tree.ts'

/** Of one place in the subject where a match may begin, for an engine that goes back to its last choice. */
export interface Cost {
  /** Steps, with each growing piece counted once. */
  readonly steps: number
  /** In how many ways it can go on behind the expression, growing pieces aside. */
  readonly ways: number
  /** How many pieces may grow one beside another, each as far as the subject is long; Infinity: without bound. */
  readonly degree: number
  /** Bytes that a match can begin with. */
  readonly first: ByteSet
  /** It can match nothing, or what comes first is not known. */
  readonly empty: boolean
}

const nothing: ByteSet = new Uint8Array(256)
const anything: ByteSet = new Uint8Array(256).fill(1)
/** Of what matches nothing and is no choice. */
const place: Cost = { steps: 1, ways: 1, degree: 0, first: nothing, empty: true }
/** What RegExp has no form for is not measured. */
const unbounded = { steps: Number.POSITIVE_INFINITY, ways: 1, degree: Number.POSITIVE_INFINITY }
/** To look at the first byte of an alternative costs less than a step. */
const firstLook = 1 / 4

export function costOf(node: RegexNode): Cost {
  switch (node.is) {
    case 'empty':
    case 'assert':
    case 'keep':
      return place
    case 'set':
      return { ...place, first: node.set, empty: false }
    case 'sequence':
      return costOfSequence(node.items)
    case 'choice':
      return costOfChoice(node.items)
    case 'capture':
      return costOf(node.body)
    case 'repeat':
      return costOfRepeat(node)
    case 'look':
      return { ...place, ...unbounded }
    case 'reference':
      return { ...unbounded, first: anything, empty: true }
    case 'atomic':
      return { ...costOf(node.body), ...unbounded }
    case 'condition':
      return { ...costOfChoice([node.yes, node.no]), ...unbounded }
  }
}

function costOfSequence(items: readonly RegexNode[]): Cost {
  let steps = 0
  let ways = 1
  let degree = 0
  const first = new Uint8Array(256)
  let empty = true
  for (const item of items) {
    const next = costOf(item)
    if (empty) include(first, next.first)
    empty &&= next.empty
    steps += ways * next.steps
    ways *= next.ways
    degree += next.degree
  }
  return { steps, ways, degree, first, empty }
}

/** Alternatives that begin with the same byte are tried one after the other; of the rest one alone is. */
function costOfChoice(items: readonly RegexNode[]): Cost {
  const steps = new Float64Array(256)
  const ways = new Float64Array(256)
  const first = new Uint8Array(256)
  let degree = 0
  let empty = false
  for (const item of items) {
    const next = costOf(item)
    for (let code = 0; code < 256; code++) {
      if (!next.empty && next.first[code] !== 1) continue
      steps[code] = (steps[code] ?? 0) + next.steps
      ways[code] = (ways[code] ?? 0) + next.ways
    }
    include(first, next.first)
    empty ||= next.empty
    degree = Math.max(degree, next.degree)
  }
  return { steps: items.length * firstLook + largest(steps, 0), ways: largest(ways, 1), degree, first, empty }
}

/** Math.max of so many arguments takes longer than all else here. */
function largest(values: Float64Array, least: number): number {
  let found = least
  for (const value of values) if (value > found) found = value
  return found
}

function costOfRepeat({ body, least, most }: RegexNode & { readonly is: 'repeat' }): Cost {
  const turn = costOf(body)
  const { first } = turn
  const empty = turn.empty || least === 0
  if (most === Number.POSITIVE_INFINITY) {
    // Where a turn can end in two ways, or be none, the turns multiply.
    const grows = turn.degree === 0 && turn.ways === 1 && !canBeEmpty(body)
    const cost = grows ? { steps: turn.steps * (least + 1), ways: 1, degree: 1 } : unbounded
    return { ...cost, first, empty }
  }
  let steps = 1
  let ways = least === 0 ? 1 : 0
  let waysHere = 1
  for (let turns = 1; turns <= most && steps < Number.MAX_SAFE_INTEGER; turns++) {
    steps += waysHere * turn.steps
    waysHere *= turn.ways
    if (turns >= least) ways += waysHere
  }
  return { steps, ways: Math.max(1, ways), degree: turn.degree * most, first, empty }
}

function include(set: ByteSet, more: ByteSet): void {
  for (let code = 0; code < 256; code++) if (more[code] === 1) set[code] = 1
}
