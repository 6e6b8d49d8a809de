/**
 * From the text of an expansion to its tree.
 * Source: Exim manual, "String expansions", "Literal text in expanded strings", "Character escape sequences".
 */
import type { ByteString } from '../../base/text.ts'
import { conditions } from './conditions/index.ts'
import { items } from './items/index.ts'
import { findOperator, operators } from './operators/index.ts'
import { readHeaderName } from './header-name.ts'
import { isDigit, isLetter, isWord, Reader } from './reader.ts'
import type { VariableRow } from './rows.ts'
import type { ConditionNode, Fault, Node, Template } from './tree.ts'
import { findVariable, variables } from './variables/index.ts'

export interface Parsed {
  readonly template: Template
  /** The fault that ended the reading; what stands before it is in the template. */
  readonly fault: Fault | undefined
  readonly minor: readonly Fault[]
}

/** Parses a whole string; never throws. */
export function parse(text: ByteString): Parsed {
  const reader = new Reader(text, { template, condition, raw })
  const nodes: Node[] = []
  readNodes(reader, false, nodes)
  // What stands before the fault that is read first is evaluated; the fault counts even in a branch that is not taken.
  const fault = [reader.fault, ...reader.minor.filter((one) => one.stops === true)]
    .filter((one) => one !== undefined)
    .reduce<Fault | undefined>(
      (first, one) => (first === undefined || one.end < first.end ? one : first),
      undefined,
    )
  const kept = fault === undefined ? nodes : nodes.filter((node) => node.end <= fault.start)
  if (fault !== undefined) {
    kept.push({ kind: 'fault', message: fault.message, start: fault.start, end: fault.end })
  }
  return { template: { nodes: kept, start: 0, end: text.length }, fault: reader.fault, minor: reader.minor }
}

function template(reader: Reader, inBraces: boolean): Template | undefined {
  const start = reader.position
  const nodes: Node[] = []
  readNodes(reader, inBraces, nodes)
  return reader.fault === undefined ? { nodes, start, end: reader.position } : undefined
}

function readNodes(reader: Reader, inBraces: boolean, nodes: Node[]): void {
  const { text } = reader
  let literal = ''
  let literalStart = reader.position
  const flush = (end: number) => {
    if (literal !== '') nodes.push({ kind: 'text', text: literal, start: literalStart, end })
    literal = ''
  }
  while (reader.position < text.length) {
    const start = reader.position
    if (literal === '') literalStart = start
    const char = text.charAt(start)
    if (char === '}' && inBraces) break
    if (char === '\\') {
      const escaped = readEscape(reader)
      if (escaped === undefined) break
      literal += escaped
    } else if (char === '$') {
      flush(start)
      const node = readDollar(reader)
      if (node === undefined) return
      nodes.push(node)
    } else {
      // A run of ordinary characters at once.
      let end = start + 1
      while (end < text.length) {
        const next = text.charCodeAt(end)
        if (next === 92 || next === 36 || (next === 125 && inBraces)) break
        end++
      }
      literal += text.slice(start, end)
      reader.position = end
    }
  }
  flush(reader.position)
}

function raw(reader: Reader): ByteString | undefined {
  let text = ''
  while (reader.position < reader.text.length && reader.peek() !== '}') {
    if (reader.peek() === '\\') {
      const escaped = readEscape(reader)
      if (escaped === undefined) return undefined
      text += escaped
    } else {
      text += reader.peek()
      reader.position++
    }
  }
  return text
}

/** A backslash and what follows it. */
function readEscape(reader: Reader): string | undefined {
  const { text } = reader
  const at = reader.position + 1
  const char = text.charAt(at)
  if (char === '') return reader.syntax('\\ at end of string', at - 1)
  if (char === 'N') {
    const end = text.indexOf('\\N', at + 1)
    if (end < 0) reader.openLiteral = { start: at - 1, end: at + 1 }
    reader.position = end < 0 ? text.length : end + 2
    return text.slice(at + 1, end < 0 ? text.length : end)
  }
  if (char === 'x') {
    const digits = /^[0-9a-fA-F]{0,2}/.exec(text.slice(at + 1, at + 3))?.[0] ?? ''
    reader.position = at + 1 + digits.length
    return String.fromCharCode(Number.parseInt(digits === '' ? '0' : digits, 16))
  }
  const octal = /^[0-7]{1,3}/.exec(text.slice(at, at + 3))?.[0]
  if (octal !== undefined) {
    reader.position = at + octal.length
    return String.fromCharCode(Number.parseInt(octal, 8) & 255)
  }
  reader.position = at + 1
  if (char === 'n') return '\n'
  if (char === 'r') return '\r'
  if (char === 't') return '\t'
  // Exim takes these too, though its manual does not list them.
  if (char === 'b') return '\b'
  if (char === 'f') return '\f'
  if (char === 'v') return '\v'
  return char
}

function readDollar(reader: Reader): Node | undefined {
  const { text } = reader
  const start = reader.position
  const next = text.charCodeAt(start + 1)
  reader.position = start + 1
  if (isLetter(next)) return readPlainVariable(reader, start)
  if (isDigit(next)) return readCapture(reader, start)
  if (next !== 123) {
    return reader.syntax(
      '$ not followed by letter, digit, or {',
      start,
      start + 2,
      'write \\$ for the sign itself',
    )
  }
  reader.position = start + 2
  const first = text.charCodeAt(start + 2)
  if (isDigit(first)) {
    const node = readCapture(reader, start)
    if (reader.peek() !== '}') return reader.syntax('} expected after number', start, reader.position + 1)
    reader.position++
    return node
  }
  if (!isLetter(first)) {
    const condition = conditions.get(/^\S/.exec(reader.rest())?.[0] ?? '')
    return reader.syntax(
      'letter or digit expected after ${',
      start,
      start + 3,
      condition === undefined ? undefined : 'a condition stands in ${if ...}',
    )
  }
  return readBracedName(reader, start)
}

function readCapture(reader: Reader, start: number): Node {
  const from = reader.position
  while (isDigit(reader.text.charCodeAt(reader.position))) reader.position++
  const index = Number.parseInt(reader.text.slice(from, reader.position), 10)
  return { kind: 'capture', index, start, end: reader.position }
}

/** `$name`, `$h_name:`. */
function readPlainVariable(reader: Reader, start: number): Node | undefined {
  const name = reader.word()
  const header = readHeaderName(reader, start + 1)
  if (header !== undefined) return { kind: 'header', ...header, start, end: reader.position }
  const row = findVariable(name)
  if (row !== undefined) return variableNode(reader, name, row, start)
  const message = `unknown variable name "${name}"${ofAcls(name)}`
  // `$if{...}` for `${if ...}`.
  const turned = items.has(name) ? { help: `the brace stands before the word: \${${name} ...}` } : undefined
  return unknownVariable(reader, message, start, start + 1, reader.position, turned)
}

/** What Exim says of names that seem to be variables of ACLs. */
function ofAcls(name: string): string {
  if (!name.startsWith('acl_')) return ''
  return /^acl_[cm]/.test(name)
    ? ' (6th character of a user-defined ACL variable must be a digit or underscore)'
    : ' (user-defined ACL variables must start acl_c or acl_m)'
}

function variableNode(reader: Reader, name: string, row: VariableRow, start: number): Node {
  if (row.get === undefined) {
    reader.minor.push({
      code: 'variable-not-working',
      message: `variable $${name} does not work in this version`,
      start,
      end: reader.position,
    })
  }
  return { kind: 'variable', name, row, start, end: reader.position }
}

function unknownVariable(
  reader: Reader,
  message: string,
  start: number,
  nameStart: number,
  nameEnd: number,
  better?: { readonly help: string },
): Node {
  reader.minor.push({
    ...reader.unknown('variable', message, nameStart, nameEnd, variables.keys()),
    ...better,
    stops: true,
  })
  return { kind: 'fault', message, start, end: reader.position }
}

/** After `${`: an item, an operator or a variable. */
function readBracedName(reader: Reader, start: number): Node | undefined {
  const nameStart = reader.position
  // A hyphen is part of a name: it stands before an offset in ${substr_-1:...}
  while (reader.peek() === '-' || isWord(reader.text.charCodeAt(reader.position))) reader.position++
  const name = reader.text.slice(nameStart, reader.position)
  const item = items.get(name)
  if (item !== undefined) {
    if (item.since === undefined)
      reader.minor.push(notWorking('item', `\${${name}`, item, start, reader.position))
    const parts = item.read(reader, start)
    return parts && { kind: 'item', name, row: item, parts, start, end: reader.position }
  }
  if (reader.peek() === '}') {
    reader.position++
    const row = findVariable(name)
    if (row !== undefined) return variableNode(reader, name, row, start)
    return unknownVariable(
      reader,
      `unknown variable in "\${${name}}"${ofAcls(name)}`,
      start,
      nameStart,
      nameStart + name.length,
    )
  }
  if (reader.peek() !== ':') {
    return reader.syntax(
      `"\${${name}" is not a known operator (or a } is missing in a variable reference)`,
      start,
      reader.position,
    )
  }
  return readOperator(reader, start, nameStart, name)
}

function readOperator(reader: Reader, start: number, nameStart: number, full: string): Node | undefined {
  const nameEnd = reader.position
  // What is wrong within is told first, as by Exim.
  const body = reader.braced(nameEnd)
  if (body === undefined) return undefined
  const found = findOperator(full)
  if (found === undefined) {
    const fault = reader.unknown(
      'operator',
      `unknown expansion operator "${full}"`,
      nameStart,
      nameEnd,
      operators.keys(),
    )
    // An unknown variable within is told first.
    if (reader.minor.some((one) => one.stops === true && one.start >= start))
      return { kind: 'fault', message: fault.message, start, end: reader.position }
    return reader.fail(fault)
  }
  if ('problem' in found) {
    // Counts only where it is evaluated.
    reader.minor.push({ code: 'expansion-syntax', message: found.problem, start: nameStart, end: nameEnd })
    return { kind: 'fault', message: found.problem, start, end: reader.position }
  }
  if (found.row.since === undefined) {
    reader.minor.push(notWorking('operator', `\${${full}:`, found.row, start, nameEnd))
  }
  return {
    kind: 'operator',
    name: full,
    suffix: found.suffix,
    row: found.row,
    body,
    start,
    end: reader.position,
  }
}

function notWorking(
  kind: string,
  written: string,
  { doc, refused }: { readonly doc: string; readonly refused?: string },
  start: number,
  end: number,
): Fault {
  return {
    code: `${kind}-not-working`,
    message:
      refused === undefined
        ? `${written} does not work in this version`
        : `${written} is refused: ${refused}`,
    help: doc,
    start,
    end,
  }
}

/** A condition with its negations; white space before it is skipped. */
function condition(reader: Reader): ConditionNode | undefined {
  reader.skipSpace()
  const start = reader.position
  let negated = false
  while (reader.peek() === '!') {
    negated = !negated
    reader.position++
    reader.skipSpace()
  }
  const nameStart = reader.position
  const symbol = /^(?:<=|>=|==|=|<|>)/.exec(reader.text.slice(nameStart, nameStart + 2))?.[0]
  if (symbol !== undefined) reader.position += symbol.length
  const name = symbol ?? reader.word()
  if (name === '') {
    return reader.syntax(`condition name expected, but found "${reader.rest().slice(0, 16)}"`, nameStart)
  }
  const row = conditions.get(name)
  if (row === undefined) {
    return reader.fail(
      reader.unknown(
        'condition',
        `unknown condition "${name}"`,
        nameStart,
        reader.position,
        conditions.keys(),
      ),
    )
  }
  if (row.since === undefined)
    reader.minor.push(notWorking('condition', name, row, nameStart, reader.position))
  if (++reader.depth > 200) return reader.syntax('expansion nested too deeply', start)
  const parts = row.read(reader, name)
  if (parts === undefined) return undefined
  reader.depth--
  return { name, row, negated, parts, start, end: reader.position }
}
