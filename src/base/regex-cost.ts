/** What matching can cost at worst, told from the tree of an expression; and the bytes that a match can begin with. */
import { canBeEmpty, type ByteSet, type RegexNode } from './regex-tree.ts'

/** Of one place in the subject where a match may begin, for an engine that goes back to its last choice. */
export interface Cost {
  /** Steps, with each growing piece counted once. */
  readonly steps: number
  /** In how many ways it can go on behind the expression, growing pieces aside. */
  readonly ways: number
  /** How many pieces may grow one beside another, each as far as the subject is long; Infinity: without bound. */
  readonly degree: number
}

const once: Cost = { steps: 1, ways: 1, degree: 0 }
const unbounded: Cost = { steps: Number.POSITIVE_INFINITY, ways: 1, degree: Number.POSITIVE_INFINITY }
/** To look at the first byte of an alternative costs less than a step. */
const firstLook = 1 / 4

export function costOf(node: RegexNode): Cost {
  switch (node.is) {
    case 'empty':
    case 'set':
    case 'assert':
    case 'keep':
      return once
    case 'sequence':
      return node.items.map(costOf).reduce(inTurn, { steps: 0, ways: 1, degree: 0 })
    case 'choice':
      return costOfChoice(node.items)
    case 'capture':
      return costOf(node.body)
    case 'repeat':
      return costOfRepeat(node)
    default:
      return unbounded
  }
}

function inTurn(first: Cost, second: Cost): Cost {
  return {
    steps: first.steps + first.ways * second.steps,
    ways: first.ways * second.ways,
    degree: first.degree + second.degree,
  }
}

/** Alternatives that begin with the same byte are tried one after the other; of the rest one alone is. */
function costOfChoice(items: readonly RegexNode[]): Cost {
  const costs = items.map(costOf)
  const steps = new Float64Array(256)
  const ways = new Float64Array(256)
  for (const [i, item] of items.entries()) {
    const { set, empty } = beginning(item)
    for (let code = 0; code < 256; code++) {
      if (!empty && set[code] !== 1) continue
      steps[code] = (steps[code] ?? 0) + (costs[i]?.steps ?? 0)
      ways[code] = (ways[code] ?? 0) + (costs[i]?.ways ?? 0)
    }
  }
  return {
    steps: items.length * firstLook + Math.max(...steps),
    ways: Math.max(1, ...ways),
    degree: Math.max(0, ...costs.map(({ degree }) => degree)),
  }
}

function costOfRepeat({ body, least, most }: RegexNode & { readonly is: 'repeat' }): Cost {
  const turn = costOf(body)
  if (most === Number.POSITIVE_INFINITY) {
    // Where a turn can end in two ways, or be none, the turns multiply.
    const grows = turn.degree === 0 && turn.ways === 1 && !canBeEmpty(body)
    return grows ? { steps: turn.steps * (least + 1), ways: 1, degree: 1 } : unbounded
  }
  let steps = 1
  let ways = least === 0 ? 1 : 0
  let waysHere = 1
  for (let turns = 1; turns <= most && steps < Number.MAX_SAFE_INTEGER; turns++) {
    steps += waysHere * turn.steps
    waysHere *= turn.ways
    if (turns >= least) ways += waysHere
  }
  return { steps, ways: Math.max(1, ways), degree: turn.degree * most }
}

interface Beginning {
  readonly set: ByteSet
  /** It can match nothing, or what comes first is not known. */
  readonly empty: boolean
}

/** Bytes that a match can begin with; undefined: it can be empty. */
export function firstBytes(node: RegexNode): ByteSet | undefined {
  const { set, empty } = beginning(node)
  return empty ? undefined : set
}

function beginning(node: RegexNode): Beginning {
  switch (node.is) {
    case 'set':
      return { set: node.set, empty: false }
    case 'sequence': {
      let set: ByteSet = new Uint8Array(256)
      for (const item of node.items) {
        const first = beginning(item)
        set = either(set, first.set)
        if (!first.empty) return { set, empty: false }
      }
      return { set, empty: true }
    }
    case 'choice':
      return node.items.map(beginning).reduce(eitherOf, { set: new Uint8Array(256), empty: false })
    case 'capture':
    case 'atomic':
      return beginning(node.body)
    case 'repeat': {
      const { set, empty } = beginning(node.body)
      return { set, empty: empty || node.least === 0 }
    }
    case 'condition':
      return eitherOf(beginning(node.yes), beginning(node.no))
    case 'reference':
      return { set: new Uint8Array(256).fill(1), empty: true }
    default:
      return { set: new Uint8Array(256), empty: true }
  }
}

function eitherOf(a: Beginning, b: Beginning): Beginning {
  return { set: either(a.set, b.set), empty: a.empty || b.empty }
}

function either(a: ByteSet, b: ByteSet): ByteSet {
  return a.map((byte, code) => byte | (b[code] ?? 0))
}
