import type { ListKind } from '../../config/configuration.ts'
import { textOf } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'
import type { Environment } from '../environment.ts'

const kinds: Readonly<Record<string, ListKind>> = { a: 'address', d: 'domain', h: 'host', l: 'localpart' }
const order: readonly ListKind[] = ['address', 'domain', 'host', 'localpart']

/** How deep lists may name lists. */
const deepest = 20

export const listnamed: OperatorRow = {
  name: 'listnamed',
  doc: 'The items of a named list, lists named in it included.',
  since: '0.1',
  manual: 'Expansion operators',
  suffix: 'word',
  apply(text, environment, suffix) {
    const kind = suffix === '' ? undefined : kinds[suffix.slice(1)]
    if (suffix !== '' && kind === undefined) return failure('bad suffix on "list" operator')
    const name = textOf(text).replace(/^\+/, '')
    const items = itemsOf(name, kind, environment, 0)
    if (items === undefined)
      return failure(`"${name}" is not a ${kind === undefined ? '' : `${kind} `}named list`)
    return items.join(' : ')
  },
}

function itemsOf(
  name: string,
  kind: ListKind | undefined,
  environment: Environment,
  depth: number,
): readonly string[] | undefined {
  const { namedLists } = environment.context.server.configuration
  const list = (kind === undefined ? order : [kind])
    .map((one) => namedLists[one].get(name))
    .find((one) => one)
  if (list === undefined) return undefined
  return environment.context.ports.splitList(list.value.text).flatMap((item) => {
    const plain = textOf(item)
    const inner =
      plain.startsWith('+') && depth < deepest
        ? itemsOf(plain.slice(1), list.kind, environment, depth + 1)
        : undefined
    return inner ?? [plain.replaceAll(':', '::')]
  })
}
