import { isFailure, Failure, type Awaitable, type Outcome } from '../../../base/outcome.ts'
import type { Text } from '../../../base/text.ts'
import { partialCaptures } from '../../../base/wild-part.ts'
import type { LookupRequest, LookupResult } from '../../../ports.ts'
import type { Environment } from '../environment.ts'
import { compileBranches, finallyDo, inOrder } from '../evaluate.ts'
import { lookupTypeHelp, lookupTypes, parseLookupType, type LookupType } from '../../lookups/parse-type.ts'
import type { ItemRow } from '../rows.ts'
import type { Node, Template } from '../tree.ts'

/** `${lookup{key}type{file}...}` and `${lookup type{query}...}`. */
export const lookup: ItemRow = {
  name: 'lookup',
  doc: 'Looks something up in a file or database.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    reader.skipSpace()
    const list: Template[] = []
    if (reader.peek() === '{') {
      const key = reader.braced(reader.position)
      if (key === undefined) return undefined
      list.push(key)
      reader.skipSpace()
    }
    const at = reader.position
    const word = (/^[A-Za-z0-9_][^{\s]*/.exec(reader.rest())?.[0] ?? '').slice(0, 256)
    reader.position += word.length
    if (word === '') return reader.syntax('missing lookup type', start, at)
    const type = parseLookupType(word)
    if ('error' in type) {
      const name = word.replace(/^partial\d*(?:\([^)]*\)|-)/, '').replace(/[,*].*$/, '')
      const fault = reader.unknown('lookup', type.error, at, at + name.length, Object.keys(lookupTypes))
      return reader.fail({ ...fault, end: Math.max(at + word.length, at + 1) })
    }
    if (type.style === 'single' && list.length === 0) {
      return reader.syntax(`missing {key} for single-key "${type.name}" lookup`, at, reader.position)
    }
    if (type.style === 'query' && list.length > 0) {
      return reader.syntax(
        `a single key was given for lookup type "${type.name}", which is not a single-key lookup type`,
        at,
        reader.position,
      )
    }
    if (!type.works) {
      reader.minor.push({
        code: 'lookup-not-working',
        message: `lookup type "${type.name}" does not work in this version`,
        help: lookupTypeHelp(type.name),
        start: at,
        end: reader.position,
      })
    }
    const subject = reader.argument("missing '{' for lookup file-or-query arg")
    if (subject === undefined) return undefined
    const parameters = parameterCount(type)
    list.push(parameters === undefined ? subject : withPlaceholders(subject))
    if (parameters !== undefined && !parameterTypes.has(type.name))
      return reader.syntax(`lookup type "${type.name}" takes no parameters`, at, reader.position)
    while (parameters !== undefined && list.length <= parameters) {
      reader.skipSpace()
      if (reader.peek() !== '{') {
        if (parameters === mostParameters) break
        return reader.syntax(`the lookup must have ${parameters} parameters`, start, reader.position)
      }
      const value = reader.braced(reader.position)
      if (value === undefined) return undefined
      list.push(value)
    }
    const branches = reader.branches('lookup', start)
    return branches && { arguments: list, branches, word }
  },
  compile(parts, compiler) {
    const type = parseLookupType(parts.word ?? '')
    const runs = parts.arguments.map((one) => compiler.template(one))
    const branch = compileBranches('lookup', parts.branches, compiler)
    if ('error' in type) return () => new Failure('failure', type.error)
    const { name, partial, star, options } = type
    const bound = parameterCount(type) !== undefined
    const conclude = (result: LookupResult, environment: Environment): Awaitable<Outcome> => {
      switch (result.is) {
        case 'found':
          return branch(environment, { found: true, value: result.data })
        case 'none':
          return branch(environment, { found: false, value: '' })
        case 'defer':
          return new Failure('defer', result.message)
        case 'failure':
          return new Failure('failure', result.message)
      }
    }
    const ask = (values: readonly Text[] | Failure, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(values)) return values
      const [first = '', second = ''] = values
      const request: LookupRequest =
        type.style === 'query'
          ? { type: name, options, key: first, parameters: bound ? values.slice(1) : undefined }
          : { type: name, options, key: first, file: second, partial, star }
      const result = environment.context.ports.lookup(request, environment.scope())
      const { captures } = environment
      const go = (settled: LookupResult) => {
        if (settled.is === 'found' && (partial !== undefined || settled.isDefault === true))
          environment.captures = partialCaptures(first, settled)
        return finallyDo(conclude(settled, environment), () => {
          environment.captures = captures
        })
      }
      return result instanceof Promise ? result.then(go) : go(result)
    }
    return (environment) => {
      const values = inOrder(runs, environment)
      return values instanceof Promise
        ? values.then((settled) => ask(settled, environment))
        : ask(values, environment)
    }
  },
}

/** Types whose queries take values apart from their text: not in Exim. */
const parameterTypes = new Set(['mysql', 'pgsql', 'redis', 'sqlite'])
const mostParameters = 999

/** `params`: all braces after the query are values; `params=2`: two are, then come the usual branches. */
function parameterCount(type: LookupType): number | undefined {
  const match = /(?:^|,)\s*params\s*(?:=\s*(\d{1,3})\s*)?(?:,|$)/.exec(type.options)
  if (match === null) return undefined
  return match[1] === undefined ? mostParameters : Number(match[1])
}

/** In such a query `$1` stands for a value, not for what a match captured. */
function withPlaceholders(query: Template): Template {
  const nodes = query.nodes.map(
    (node): Node =>
      node.kind === 'capture'
        ? { kind: 'text', text: `$${node.index}`, start: node.start, end: node.end }
        : node,
  )
  return { ...query, nodes }
}
