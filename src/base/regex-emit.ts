/**
 * A tree as JavaScript's RegExp, where that gives the same answers; undefined where it would not.
 * No `i` flag and no look-around is used: with them V8 has no linear engine to fall back to.
 */
import { canBeEmpty, type ByteSet, type RegexNode, type RegexTree } from './regex-tree.ts'

export interface Emitted {
  readonly source: string
  /** It holds `$` or `\Z`: a subject that ends with a newline needs the other engine. */
  readonly finals: boolean
  /** V8's linear engine does not take it: it copies counted parts more often than it allows. */
  readonly copies: boolean
  /** It begins with `^`: it is tried at one place only. */
  readonly anchored: boolean
  /** What V8's linear engine does at worst for each byte of the subject. */
  readonly costPerByte: number
}

/** How often V8's linear engine copies a part at most. */
const mostCopies = 16
/**
 * V8 takes time with the fifth power of how many parts may be left out: measured 2 ms for 20, 220 ms for 50,
 * 34 s for 130. Beyond this the matcher of our own does it.
 */
const mostOptional = 24

export function emitRegex(tree: RegexTree): Emitted | undefined {
  const notes: Notes = { finals: false, copies: false, optional: 0, parts: 0 }
  const source = emit(tree.root, notes, 1)
  if (source === undefined || notes.optional > mostOptional) return undefined
  return {
    source,
    finals: notes.finals,
    copies: notes.copies,
    anchored: isAnchored(tree.root),
    costPerByte: notes.parts * (tree.groups + 1),
  }
}

interface Notes {
  finals: boolean
  copies: boolean
  /** Parts that may be left out, each as often as it is written. */
  optional: number
  /** Parts as often as they are written out. */
  parts: number
}

function emit(node: RegexNode, notes: Notes, copies: number): string | undefined {
  notes.parts += copies
  switch (node.is) {
    case 'empty':
      return '(?:)'
    case 'set':
      // The engine follows each range on its own.
      notes.parts += copies * (rangesOf(node.set).length - 1)
      return setSource(node.set)
    case 'sequence':
      return all(node.items.map((item) => emit(item, notes, copies)))?.join('')
    case 'choice': {
      const parts = all(node.items.map((item) => emit(item, notes, copies)))
      return parts && `(?:${parts.join('|')})`
    }
    case 'capture': {
      const body = emit(node.body, notes, copies)
      return body === undefined ? undefined : `(${body})`
    }
    case 'repeat':
      return emitRepeat(node, notes, copies)
    case 'assert':
      switch (node.what) {
        case 'start':
          return '^'
        case 'end':
          return '$'
        case 'final':
          notes.finals = true
          return '$'
        case 'word':
          return '\\b'
        case 'not word':
          return '\\B'
        default:
          return undefined
      }
    default:
      return undefined
  }
}

function emitRepeat(
  node: RegexNode & { readonly is: 'repeat' },
  notes: Notes,
  copies: number,
): string | undefined {
  if (node.mode === 'possessive') return undefined
  // JavaScript forgets captures at each turn and refuses empty turns; Perl does neither.
  if (node.most > 1 && (forgets(node.body) || (canBeEmpty(node.body) && hasCapture(node.body))))
    return undefined
  // V8 writes `x{2,}` as `xxx*`, and `x+` as `xx*`.
  const times = Math.max(node.most === Number.POSITIVE_INFINITY ? node.least + 1 : node.most, 1)
  if (copies * times > mostCopies) notes.copies = true
  if (node.least === 0 && node.most !== Number.POSITIVE_INFINITY)
    notes.optional += Math.min(copies, 3) * Math.min(node.most, 3)
  const body = emit(node.body, notes, copies * times)
  if (body === undefined) return undefined
  const unit = node.body.is === 'set' || node.body.is === 'capture' ? body : `(?:${body})`
  const lazy = node.mode === 'lazy' ? '?' : ''
  const { least, most } = node
  if (most === Number.POSITIVE_INFINITY)
    return `${unit}${least === 0 ? '*' : least === 1 ? '+' : `{${least},}`}${lazy}`
  if (least === 0 && most === 1) return `${unit}?${lazy}`
  return `${unit}{${least},${most}}${lazy}`
}

function all(parts: readonly (string | undefined)[]): string[] | undefined {
  const known: string[] = []
  for (const part of parts) {
    if (part === undefined) return undefined
    known.push(part)
  }
  return known
}

/** Whether a capture in here may be left out in one turn of a loop. */
function forgets(node: RegexNode, optional: boolean = false): boolean {
  switch (node.is) {
    case 'capture':
      return optional || forgets(node.body, optional)
    case 'sequence':
      return node.items.some((item) => forgets(item, optional))
    case 'choice':
      return node.items.some((item) => forgets(item, true))
    case 'repeat':
      return forgets(node.body, optional || node.least === 0)
    default:
      return false
  }
}

function hasCapture(node: RegexNode): boolean {
  switch (node.is) {
    case 'capture':
      return true
    case 'sequence':
    case 'choice':
      return node.items.some(hasCapture)
    case 'repeat':
      return hasCapture(node.body)
    default:
      return false
  }
}

function isAnchored(node: RegexNode): boolean {
  switch (node.is) {
    case 'assert':
      return node.what === 'start'
    case 'sequence':
      return node.items[0] !== undefined && isAnchored(node.items[0])
    case 'choice':
      return node.items.every(isAnchored)
    case 'capture':
      return isAnchored(node.body)
    default:
      return false
  }
}

function rangesOf(set: ByteSet): [number, number][] {
  const ranges: [number, number][] = []
  for (let code = 0; code < 256; code++) {
    if (set[code] !== 1) continue
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === code - 1) last[1] = code
    else ranges.push([code, code])
  }
  return ranges
}

function setSource(set: ByteSet): string {
  const ranges = rangesOf(set)
  const [only] = ranges
  if (only === undefined) return '[]'
  if (ranges.length === 1 && only[0] === only[1]) return byteSource(only[0])
  const whole = ranges.map(([from, to]) =>
    from === to ? byteSource(from) : `${byteSource(from)}-${byteSource(to)}`,
  )
  return `[${whole.join('')}]`
}

function byteSource(code: number): string {
  const char = String.fromCharCode(code)
  return /[A-Za-z0-9 ]/.test(char) ? char : `\\x${code.toString(16).padStart(2, '0')}`
}
