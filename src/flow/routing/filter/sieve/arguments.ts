/** Tagged and positional arguments of one command or test. Source: RFC 5228 section 2.6. */
import type { ByteString } from '../../../../base/text.ts'
import { type Argument, SieveError, type SieveNode } from './grammar.ts'

/** What a tag takes after it. */
export type TagForm = 'nothing' | 'string' | 'strings' | 'number'

export interface ReadArguments {
  has(tag: string): boolean
  string(tag: string): ByteString | undefined
  strings(tag: string): readonly ByteString[] | undefined
  number(tag: string): number | undefined
  /** What stands after the tags. */
  readonly positional: readonly Argument[]
}

export function readArguments(node: SieveNode, tags: Readonly<Record<string, TagForm>>): ReadArguments {
  const values = new Map<string, Argument | undefined>()
  const positional: Argument[] = []
  for (let i = 0; i < node.arguments.length; i++) {
    const argument = node.arguments[i]
    if (argument === undefined) break
    if (argument.is !== 'tag') {
      positional.push(argument)
      continue
    }
    const form = tags[argument.name]
    if (form === undefined || positional.length > 0) throw new SieveError('syntax error', argument.line)
    if (values.has(argument.name)) throw new SieveError(`duplicate :${argument.name}`, argument.line)
    const value = form === 'nothing' ? undefined : node.arguments[++i]
    if (form !== 'nothing' && !fits(value, form)) {
      throw new SieveError(
        `:${argument.name} expects a ${form === 'number' ? 'number' : 'string'}`,
        argument.line,
      )
    }
    values.set(argument.name, value)
  }
  const strings = (tag: string): readonly ByteString[] | undefined => {
    const value = values.get(tag)
    return value?.is === 'strings' ? value.values : undefined
  }
  return {
    has: (tag) => values.has(tag),
    strings,
    string: (tag) => strings(tag)?.[0],
    number(tag) {
      const value = values.get(tag)
      return value?.is === 'number' ? value.value : undefined
    },
    positional,
  }
}

function fits(value: Argument | undefined, form: TagForm): boolean {
  if (form === 'number') return value?.is === 'number'
  if (value?.is !== 'strings') return false
  return form === 'strings' || !value.list
}

/** The only positional arguments: so many string lists. */
export function stringLists(
  node: SieveNode,
  read: ReadArguments,
  names: readonly string[],
): (readonly ByteString[])[] {
  const lists = names.map((name, i) => {
    const argument = read.positional[i]
    if (argument?.is !== 'strings') throw new SieveError(`${name} expected`, argument?.line ?? node.line)
    return argument.values
  })
  const extra = read.positional[names.length]
  if (extra !== undefined) throw new SieveError('syntax error', extra.line)
  return lists
}

/** A single string and nothing else. */
export function onlyString(node: SieveNode, read: ReadArguments, what: string): ByteString {
  const [argument] = read.positional
  if (read.positional.length > 1) throw new SieveError('missing semicolon', node.line)
  if (argument?.is !== 'strings' || argument.list) {
    throw new SieveError(`missing ${what}`, node.line)
  }
  return argument.values[0] ?? ''
}
