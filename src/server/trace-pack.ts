/** The steps of an explanation as short JSON: arrays, and each file's name once. */
import type { TraceKind } from '../ports.ts'
import type { TraceNode } from './trace.ts'

/** The order is part of what is stored: new kinds stand at the end. */
const kinds: readonly TraceKind[] = [
  'message',
  'command',
  'acl',
  'statement',
  'condition',
  'expansion',
  'variable',
  'list',
  'lookup',
  'dns',
  'verify',
  'reply',
  'log',
  'address',
  'router',
  'routing',
  'transport',
  'host',
]
const numbers = new Map(kinds.map((kind, i) => [kind, i]))

/** Kind, what, result, at and took in tenths of a millisecond, file, line, column, left out, children. */
type Packed = [number, string, string | 0, number, number, number, number, number, number, Packed[] | 0]

/** More is cut: one explanation never takes more. */
const mostBytes = 64 * 1024

export function packTrace(root: TraceNode): string {
  for (const depth of [Infinity, 6, 4, 3, 2]) {
    const files: string[] = []
    const text = JSON.stringify({ files, root: pack(root, files, depth) })
    if (text.length <= mostBytes) return text
  }
  return JSON.stringify({ files: [], root: pack(root, [], 0) })
}

function pack(node: TraceNode, files: string[], depth: number): Packed {
  const { kind, what, result, at, took, file, line, column, leftOut, children } = node
  const cut = children !== undefined && depth === 0
  return [
    numbers.get(kind) ?? 0,
    what,
    result ?? 0,
    Math.round(at * 10),
    took === undefined ? -1 : Math.round(took * 10),
    file === undefined ? -1 : numberOf(file, files),
    line ?? 0,
    column ?? 0,
    (leftOut ?? 0) + (cut ? children.length : 0),
    children === undefined || cut ? 0 : children.map((child) => pack(child, files, depth - 1)),
  ]
}

function numberOf(file: string, files: string[]): number {
  const index = files.indexOf(file)
  return index >= 0 ? index : files.push(file) - 1
}

/** Undefined: it is damaged, or of a version to come. */
export function unpackTrace(text: string): TraceNode | undefined {
  try {
    // What is not of this shape throws, or shows as empty fields.
    const { files, root } = JSON.parse(text) as { files: readonly string[]; root: Packed }
    return unpack(root, files)
  } catch {
    return undefined
  }
}

function unpack(packed: Packed, files: readonly string[]): TraceNode {
  const [kind, what, result, at, took, file, line, column, leftOut, children] = packed
  const name = files[file]
  return {
    kind: kinds[kind] ?? 'message',
    what,
    at: at / 10,
    ...(result === 0 ? {} : { result }),
    ...(took < 0 ? {} : { took: took / 10 }),
    ...(name === undefined ? {} : { file: name, line, ...(column === 0 ? {} : { column }) }),
    ...(leftOut === 0 ? {} : { leftOut }),
    ...(children === 0 ? {} : { children: children.map((child) => unpack(child, files)) }),
  }
}
