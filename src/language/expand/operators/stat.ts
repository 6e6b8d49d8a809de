import { textOf } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'

const letters: Readonly<Record<string, string>> = {
  file: '-',
  directory: 'd',
  link: 'l',
  fifo: 'p',
  socket: 's',
  block: 'b',
  character: 'c',
}

/** `-rw-r--r--`. */
function symbolicMode(kind: string, mode: number): string {
  let text = letters[kind] ?? '?'
  for (const [shift, special, low, high] of [
    [6, 0o4000, 's', 'S'],
    [3, 0o2000, 's', 'S'],
    [0, 0o1000, 't', 'T'],
  ] as const) {
    const bits = (mode >> shift) & 7
    text += bits & 4 ? 'r' : '-'
    text += bits & 2 ? 'w' : '-'
    text += mode & special ? (bits & 1 ? low : high) : bits & 1 ? 'x' : '-'
  }
  return text
}

export const stat: OperatorRow = {
  name: 'stat',
  doc: 'What the system knows of a file: mode, size, times ... as name=value pairs.',
  since: '0.1',
  manual: 'Expansion operators',
  apply(text, environment) {
    const path = textOf(text)
    const found = environment.context.ports.files.stat(path)
    if ('error' in found) return failure(`stat(${path}) failed: ${found.error}`)
    const mode = (found.mode & 0o7777).toString(8).padStart(4, '0')
    const seconds = (ms: number) => Math.floor(ms / 1000)
    return (
      `mode=${mode} smode=${symbolicMode(found.kind, found.mode)} inode=${found.inode} device=${found.device} ` +
      `links=${found.links} uid=${found.uid} gid=${found.gid} size=${found.size} atime=${seconds(found.accessedAt)} ` +
      `mtime=${seconds(found.modifiedAt)} ctime=${seconds(found.changedAt)}`
    )
  },
}
