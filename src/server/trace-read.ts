/** From the bytes of an explanation to its steps as a tree. */
import { decodeUtf8 } from '../base/text.ts'
import type { TraceKind } from '../ports.ts'
import { type Definition, traceKinds } from './trace-table.ts'
import { tapeMarks } from './trace-tape.ts'

export interface TraceNode {
  readonly kind: TraceKind
  readonly what: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** Milliseconds after the explanation began. */
  at: number
  took?: number
  result?: string
  children?: TraceNode[]
  /** Steps that were left out of here because the explanation is full. */
  leftOut?: number
}

/** Undefined: they are damaged, or of a version to come. */
export function readTrace(bytes: Uint8Array, definitions: readonly Definition[]): TraceNode | undefined {
  const nodes: TraceNode[] = []
  const input = new Input(bytes)
  let ticks = 0
  while (!input.over) {
    const mark = input.byte()
    if (mark === tapeMarks.end) {
      const node = nodes[nodes.length - input.number()]
      ticks += input.number()
      const result = input.text()
      if (node === undefined) return undefined
      node.result = result
      node.took = ticks / 10 - node.at
      continue
    }
    if (mark === tapeMarks.rest) {
      const node = nodes[input.number()]
      const count = input.number()
      if (node === undefined) return undefined
      node.leftOut = count
      continue
    }
    const parent = nodes[nodes.length - input.number()]
    const before = ticks
    ticks += input.number()
    const definition = (mark & tapeMarks.definition) === 0 ? undefined : definitions[input.number()]
    const isNote = (mark & tapeMarks.note) !== 0
    const kind = traceKinds[mark & ~(tapeMarks.note | tapeMarks.definition)] ?? 'message'
    const node = nodeOf(kind, input.text(), (isNote ? before : ticks) / 10, definition)
    if (parent === undefined && nodes.length > 0) return undefined
    if (isNote) {
      node.result = input.text()
      const since = nodes.length - input.number()
      if (since < 0) return undefined
      if (since < nodes.length && parent !== undefined) takeIn(node, parent, new Set(nodes.slice(since)))
      node.took = ticks / 10 - node.at
    }
    if (parent !== undefined) (parent.children ??= []).push(node)
    nodes.push(node)
  }
  return input.short ? undefined : nodes[0]
}

/** Steps that came while it was under way. */
function takeIn(node: TraceNode, parent: TraceNode, recent: ReadonlySet<TraceNode>): void {
  const { children = [] } = parent
  const first = children.findIndex((child) => recent.has(child))
  if (first < 0) return
  node.children = children.splice(first)
  node.at = node.children[0]?.at ?? node.at
}

function nodeOf(kind: TraceKind, what: string, at: number, definition: Definition | undefined): TraceNode {
  if (definition === undefined) return { kind, what, at }
  const [text, file, line, column] = definition
  const whole = what + text
  if (file === '') return { kind, what: whole, at }
  return { kind, what: whole, at, file, line, ...(column === 0 ? {} : { column }) }
}

class Input {
  readonly #bytes: Buffer
  #at = 0
  /** It ended in the middle of something. */
  short = false

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get over(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) this.short = true
    return byte ?? 0
  }

  number(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) break
    }
    return value
  }

  text(): string {
    const length = this.number()
    const end = this.#at + length
    if (end > this.#bytes.length) this.short = true
    const text = this.#bytes.toString('latin1', this.#at, Math.min(end, this.#bytes.length))
    this.#at = end
    return decodeUtf8(text)
  }
}
