/** The tree of a regular expression. Every single-byte matcher is a set of bytes, letter case already put in. */

/** 1 for each byte that is in the set; 256 places. */
export type ByteSet = Uint8Array

export type RegexNode =
  | { readonly is: 'empty' }
  | { readonly is: 'set'; readonly set: ByteSet }
  | { readonly is: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly is: 'choice'; readonly items: readonly RegexNode[] }
  | { readonly is: 'capture'; readonly index: number; readonly body: RegexNode }
  | {
      readonly is: 'repeat'
      readonly body: RegexNode
      readonly least: number
      /** Infinity: without limit. */
      readonly most: number
      readonly mode: 'greedy' | 'lazy' | 'possessive'
    }
  | { readonly is: 'assert'; readonly what: Assertion }
  | { readonly is: 'reference'; readonly index: number; readonly caseless: boolean }
  | { readonly is: 'look'; readonly ahead: boolean; readonly negative: boolean; readonly body: RegexNode }
  | { readonly is: 'atomic'; readonly body: RegexNode }
  | {
      readonly is: 'condition'
      readonly test: { readonly group: number } | { readonly look: RegexNode }
      readonly yes: RegexNode
      readonly no: RegexNode
    }
  /** `\K`: the match begins here. */
  | { readonly is: 'keep' }

/**
 * `end` the very end; `final` the end or before a last newline; `line start`, `line end` with `(?m)`.
 */
export type Assertion = 'start' | 'end' | 'final' | 'line start' | 'line end' | 'word' | 'not word'

export interface RegexTree {
  readonly root: RegexNode
  readonly groups: number
}

export function setOf(...ranges: readonly (readonly [number, number])[]): ByteSet {
  const set = new Uint8Array(256)
  for (const [from, to] of ranges) set.fill(1, from, to + 1)
  return set
}

export function inverted(set: ByteSet): ByteSet {
  return set.map((byte) => 1 - byte)
}

/** Adds the other case of each letter. */
export function caseFolded(set: ByteSet): ByteSet {
  const folded = set.slice()
  for (let code = 65; code <= 90; code++) {
    if (set[code] === 1 || set[code + 32] === 1) {
      folded[code] = 1
      folded[code + 32] = 1
    }
  }
  return folded
}

export function isWordByte(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95
  )
}

/** Whether a node can match nothing. */
export function canBeEmpty(node: RegexNode): boolean {
  switch (node.is) {
    case 'set':
      return false
    case 'sequence':
      return node.items.every(canBeEmpty)
    case 'choice':
      return node.items.some(canBeEmpty)
    case 'capture':
    case 'atomic':
      return canBeEmpty(node.body)
    case 'repeat':
      return node.least === 0 || canBeEmpty(node.body)
    case 'condition':
      return canBeEmpty(node.yes) || canBeEmpty(node.no)
    default:
      return true
  }
}

/** How many bytes a node matches, when that is fixed. */
export function fixedLength(node: RegexNode): number | undefined {
  switch (node.is) {
    case 'set':
      return 1
    case 'sequence': {
      let total = 0
      for (const item of node.items) {
        const length = fixedLength(item)
        if (length === undefined) return undefined
        total += length
      }
      return total
    }
    case 'choice': {
      const lengths = new Set(node.items.map(fixedLength))
      return lengths.size === 1 ? [...lengths][0] : undefined
    }
    case 'capture':
    case 'atomic':
      return fixedLength(node.body)
    case 'repeat': {
      const length = node.least === node.most ? fixedLength(node.body) : undefined
      return length === undefined ? undefined : length * node.least
    }
    case 'reference':
    case 'condition':
      return undefined
    default:
      return 0
  }
}
