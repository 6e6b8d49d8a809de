/** Items whose names are known, but that do not work; `check` names each use, and what to use instead. */
import type { ItemRow } from '../rows.ts'
import type { Template } from '../tree.ts'

function pending(name: string, refused: string, doc: string): ItemRow {
  return {
    name,
    doc: `${refused}; ${doc}`,
    refused,
    manual: 'Expansion items',
    read(reader, start) {
      const list: Template[] = []
      for (;;) {
        reader.skipSpace()
        if (reader.peek() !== '{') break
        const one = reader.braced(reader.position)
        if (one === undefined) return undefined
        list.push(one)
      }
      if (/^fail\b/.test(reader.rest())) reader.position += 4
      return reader.close(`missing '}' after '${name}'`, start) ? { arguments: list } : undefined
    },
    compile: () => () => '',
  }
}

export const pendingItems: readonly ItemRow[] = [
  pending(
    'dlfunc',
    'C functions cannot be loaded',
    'write them in JavaScript: ${fn and the main option functions_file',
  ),
]
