/** `${extract`: named fields, numbered fields, JSON. */
import { isFailure, type Awaitable, type Failure, type Outcome } from '../../../base/outcome.ts'
import { retaint, slice, textOf, type Text } from '../../../base/text.ts'
import { failure, type Environment } from '../environment.ts'
import { compileBranches, inOrder } from '../evaluate.ts'
import { jsonField } from '../json.ts'
import { lowerCase } from '../letters.ts'
import type { ItemRow } from '../rows.ts'
import type { Branches, Template } from '../tree.ts'

type Form = 'name' | 'number' | 'json' | 'jsons'

/** How many arguments come before the branches. */
const before: Readonly<Record<Form, number>> = { name: 2, number: 3, json: 2, jsons: 2 }

/** When the key is computed, its value tells at use whether it is a name or a number; all arguments are kept. */
export const extract: ItemRow = {
  name: 'extract',
  doc: 'Takes a field out of a string: by name, by number and separators, or out of JSON.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    reader.skipSpace()
    const word = /^jsons?(?=\s*\{)/.exec(reader.rest().slice(0, 40))?.[0]
    reader.position += word?.length ?? 0
    const list: Template[] = []
    for (;;) {
      reader.skipSpace()
      if (reader.peek() !== '{' || list.length === 5) break
      const one = reader.braced(reader.position)
      if (one === undefined) return undefined
      list.push(one)
    }
    const [key] = list
    if (key === undefined) return reader.syntax("missing '{' for arg 1 of extract")
    const written = key.nodes.every((node) => node.kind === 'text')
    const form =
      (word as Form | undefined) ??
      (written
        ? formOf(key.nodes.map((node) => (node.kind === 'text' ? node.text : '')).join(''))
        : undefined)
    if (form === undefined && written) {
      // Counts only where it is evaluated.
      const message = 'first argument of "extract" must not be empty'
      if (list.length < 2) return reader.syntax(message, start, reader.position)
      reader.minor.push({ code: 'expansion-syntax', message, start, end: reader.position })
    }
    const least = before[form ?? 'name']
    if (list.length < least) return reader.syntax(`missing '{' for arg ${list.length + 1} of extract`)
    if (form !== undefined && list.length >= least + 2) {
      reader.position = list[least + 2] === undefined ? reader.position : (list[least + 2]?.start ?? 1) - 1
      if (reader.peek() !== '}') return reader.yesNo("did not close with '}'", start)
    }
    const branches = reader.ending('extract', start, list.length > least)
    if (branches === undefined) return undefined
    return {
      arguments: list,
      branches: branches === 'fail' ? { yes: undefined, no: 'fail' } : undefined,
      word: form,
    }
  },
  compile(parts, compiler) {
    const fail = parts.branches !== undefined
    const plans = new Map(
      (['name', 'number'] as const).map((form) => {
        const count = before[form]
        const [yes, no] = parts.arguments.slice(count)
        const branches: Branches = { yes, no: no ?? (fail && yes !== undefined ? 'fail' : undefined) }
        const plan = {
          runs: parts.arguments.slice(1, count).map((one) => compiler.template(one)),
          branch: compileBranches('extract', branches, compiler),
        }
        return [form, plan]
      }),
    )
    const [keyTemplate] = parts.arguments
    const keyRun = keyTemplate === undefined ? () => '' : compiler.template(keyTemplate)
    const go = (key: Outcome, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(key)) return key
      const word = textOf(key).trim()
      const form = (parts.word as Form | undefined) ?? formOf(word)
      if (form === undefined) return failure('first argument of "extract" must not be empty')
      const plan = plans.get(form === 'number' ? 'number' : 'name')
      if (plan === undefined || plan.runs.length < before[form] - 1) {
        return failure(`missing '{' for arg ${parts.arguments.length + 1} of extract`)
      }
      const pick = (values: readonly Text[] | Failure): Awaitable<Outcome> => {
        if (isFailure(values)) return values
        const field = fieldOf(form, word, values)
        if (isFailure(field)) return field
        return plan.branch(environment, { found: field !== undefined, value: field ?? '' })
      }
      const values = inOrder(plan.runs, environment)
      return values instanceof Promise ? values.then(pick) : pick(values)
    }
    return (environment) => {
      const key = keyRun(environment)
      return key instanceof Promise ? key.then((settled) => go(settled, environment)) : go(key, environment)
    }
  },
}

function formOf(key: string): 'name' | 'number' | undefined {
  if (/^\s*(?:-\d*|\d+)\s*$/.test(key)) return 'number'
  return key.trim() === '' ? undefined : 'name'
}

function fieldOf(form: Form, key: string, values: readonly Text[]): Text | undefined | Failure {
  const [first = '', second = ''] = values
  switch (form) {
    case 'number':
      return numberedField(key === '-' ? 0 : Number(key), textOf(first), second)
    case 'name':
      return namedField(key, first)
    default:
      return jsonField(key, first, form === 'jsons')
  }
}

/** The field of that number between any of the separators; negative: from the end; 0: the whole string. */
export function numberedField(number: number, separators: string, subject: Text): Text | undefined {
  if (number === 0) return subject
  const text = textOf(subject)
  const starts = [0]
  for (let i = 0; i < text.length; i++) if (separators.includes(text.charAt(i))) starts.push(i + 1)
  const index = number > 0 ? number - 1 : starts.length + number
  const start = starts[index]
  if (start === undefined) return undefined
  const next = starts[index + 1]
  return slice(subject, start, next === undefined ? text.length : next - 1)
}

/** The value of `key=value` or `key = "quoted value"`; names are caseless. */
export function namedField(key: string, subject: Text): Text | undefined {
  const text = textOf(subject)
  const sought = lowerCase(key)
  const field = /\s*([^=\s]*)(?:\s*=\s*|\s+|$)/y
  let at = 0
  while (at < text.length) {
    field.lastIndex = at
    const name = field.exec(text)
    if (name === null) return undefined
    at = field.lastIndex
    const value = readValue(text, at)
    at = value.end
    if (lowerCase(name[1] ?? '') === sought) return retaint(value.text, subject)
  }
  return undefined
}

function readValue(text: string, start: number): { text: string; end: number } {
  if (text.charAt(start) !== '"') {
    const end = /\s|$/.exec(text.slice(start))?.index ?? text.length - start
    return { text: text.slice(start, start + end), end: start + end }
  }
  let value = ''
  let at = start + 1
  while (at < text.length && text.charAt(at) !== '"') {
    if (text.charAt(at) === '\\') {
      const escape = /^\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))/s.exec(text.slice(at, at + 4))
      if (escape === null) break
      value +=
        escape[1] !== undefined
          ? String.fromCharCode(Number.parseInt(escape[1], 8) & 255)
          : escape[2] !== undefined
            ? String.fromCharCode(Number.parseInt(escape[2], 16))
            : (simpleEscapes[escape[3] ?? ''] ?? escape[3] ?? '')
      at += escape[0].length
    } else value += text.charAt(at++)
  }
  return { text: value, end: at + 1 }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
}
