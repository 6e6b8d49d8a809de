/**
 * What an operator, an item or a condition says to an argument that is constant: with some it fails each time, whatever
 * the mail. Only what asks nobody and changes nothing is tried.
 */
import { isFailure } from '../../base/outcome.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Configuration } from '../config/configuration.ts'
import type { Context, Ports } from '../../ports.ts'
import { compiler } from './compile.ts'
import { createDoors } from './doors/index.ts'
import { Environment, failure } from './environment.ts'
import { createRegexCache } from './regex-cache.ts'
import type { ConditionNode, Node, Stretch, Template } from './tree.ts'

export interface ConstantFault extends Stretch {
  /** Exim's sentence. */
  readonly message: string
}

/** Operators whose result follows from their argument alone. */
const operators: ReadonlySet<string> = new Set([
  'base32',
  'base32d',
  'base62',
  'base62d',
  'base64d',
  'eval',
  'eval10',
  'h',
  'hash',
  'hex2b64',
  'ipv6denorm',
  'ipv6norm',
  'l',
  'length',
  'listnamed',
  'mask',
  'nh',
  'nhash',
  'randint',
  'reverse_ip',
  's',
  'sha2',
  'sha3',
  'substr',
  'time_eval',
  'time_interval',
  'utf8_domain_to_alabel',
  'utf8_localpart_to_alabel',
])

/** Of these the word after the underscore is judged whatever the argument is. */
const bySuffix: ReadonlyMap<string, ByteString> = new Map([
  ['h', 'x'.repeat(100)],
  ['hash', 'x'.repeat(100)],
  ['sha2', 'x'],
  ['sha3', 'x'],
])

/** Items, and what is put where an argument is not constant: the last of these serves for all further ones. */
const items: ReadonlyMap<string, readonly ByteString[]> = new Map([
  ['extract', ['1']],
  ['hash', ['1']],
  ['hmac', ['md5', 'x']],
  ['length', ['1']],
  ['listextract', ['1']],
  ['nhash', ['1']],
  ['prvs', ['a@b.example', '1']],
  ['sort', ['', 'lt', '']],
  ['substr', ['1']],
])

const conditions: ReadonlyMap<string, ByteString> = new Map([
  ...['=', '==', '<', '<=', '>', '>='].map((name) => [name, '1'] as const),
  ['bool', '1'],
  ['match_ip', '192.0.2.1'],
])

export interface ConstantJudge {
  node(node: Node): ConstantFault | undefined
  condition(node: ConditionNode): ConstantFault[]
}

/** Judges the nodes of a configuration's trees. */
export function createConstantJudge(
  configuration: Configuration,
  splitList: (list: Text) => Text[],
): ConstantJudge {
  const environment = plainEnvironment(configuration, splitList)
  const messageOf = (node: Node): string | undefined => {
    const result = compiler.template({ nodes: [node], start: node.start, end: node.end })(environment)
    return isFailure(result) ? result.message : undefined
  }
  const operator = (node: Node & { kind: 'operator' }): ConstantFault | undefined => {
    if (!operators.has(node.row.name)) return undefined
    const general = node.suffix === '' ? undefined : bySuffix.get(node.row.name)
    if (general !== undefined) {
      const message = messageOf({ ...node, body: templateOf(general, node.body) })
      if (message !== undefined) return { message, start: node.start, end: node.end }
    }
    if (!isConstant(node.body)) return undefined
    const message = messageOf(node)
    return message === undefined ? undefined : { message, ...stretchOf(node.body, node) }
  }
  const item = (node: Node & { kind: 'item' }): ConstantFault | undefined => {
    const fillers = items.get(node.name)
    if (fillers === undefined) return undefined
    const { arguments: given } = node.parts
    // A computed key may be a name or a number, and how many arguments belong to it follows from that.
    if (node.name === 'extract' && given[0] !== undefined && !isConstant(given[0])) return undefined
    // Of JSON that is computed nobody knows whether it is an object or an array.
    if (node.parts.word?.startsWith('json') === true && given[1] !== undefined && !isConstant(given[1]))
      return undefined
    const filled = given.map((each, i) => templateOf(fillers[i] ?? fillers.at(-1) ?? '', each))
    for (const [i, argument] of given.entries()) {
      if (!isConstant(argument)) continue
      const parts = { ...node.parts, arguments: filled.with(i, argument), branches: undefined }
      const message = messageOf({ ...node, parts })
      if (message !== undefined) return { message, ...stretchOf(argument, node) }
    }
    return undefined
  }
  return {
    node(node) {
      if (node.kind === 'operator') return operator(node)
      return node.kind === 'item' ? item(node) : undefined
    },
    condition(node) {
      const filler = conditions.get(node.name)
      if (filler === undefined) return []
      const { arguments: given } = node.parts
      const filled = given.map((each) => templateOf(filler, each))
      return given.flatMap((argument, i) => {
        if (!isConstant(argument)) return []
        const parts = { ...node.parts, arguments: filled.with(i, argument) }
        const answer = compiler.condition({ ...node, parts })(environment)
        return isFailure(answer) ? [{ message: answer.message, ...stretchOf(argument, node) }] : []
      })
    },
  }
}

function isConstant({ nodes }: Template): boolean {
  return nodes.every(({ kind }) => kind === 'text')
}

function templateOf(text: ByteString, { start, end }: Stretch): Template {
  return { nodes: [{ kind: 'text', text, start, end }], start, end }
}

/** What is underlined: the argument, or all of the node when it is empty. */
function stretchOf(argument: Stretch, whole: Stretch): Stretch {
  const { start, end } = argument.end > argument.start ? argument : whole
  return { start, end }
}

function plainEnvironment(configuration: Configuration, splitList: (list: Text) => Text[]): Environment {
  const ports: Pick<Ports, 'matchList' | 'now' | 'random' | 'splitList'> = {
    matchList: () => ({ is: 'no' }),
    now: () => 0,
    random: () => 0,
    splitList,
  }
  const context = {
    settings: configuration.main,
    server: { configuration },
    ports,
    captures: [],
    variables: new Map<string, Text>(),
  }
  // The rows of the tables above ask for nothing else; a test tries each of them.
  return new Environment(context as unknown as Context, {
    doors: createDoors(),
    regex: createRegexCache(),
    expandWithin: () => failure('not here'),
  })
}

/** For tests: what is tried. */
export const judgedNames: { readonly operators: readonly string[]; readonly items: readonly string[] } = {
  operators: [...operators],
  items: [...items.keys()],
}
