/** The processes of a started server, read from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

export interface RunningProcess {
  readonly pid: number
  readonly parent: number
  /** Its command line, words separated by blanks. */
  readonly command: string
}

/** Every process below this one, itself included. */
export function processTree(root: number): RunningProcess[] {
  const all = readdirSync('/proc').flatMap((name): RunningProcess[] => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z') return []
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ')
      return [{ pid: Number(name), parent: Number(parent), command }]
    } catch {
      // It has ended.
      return []
    }
  })
  const wanted = new Set([root])
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid)
  }
  return all.filter(({ pid }) => wanted.has(pid))
}

/**
 * Memory of the tree in KiB that is its own: pages of mapped files (the program, the queue's index) can be taken away at any
 * time and are not counted, where the kernel tells them apart.
 */
export function treeKib(root: number): number {
  return eachKib(root).reduce((sum, kib) => sum + kib, 0)
}

/** The same of each process. */
export function eachKib(root: number): number[] {
  return processTree(root).map(({ pid }) => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
      return Number((/^Pss_Anon:\s+(\d+)/m.exec(text) ?? /^Pss:\s+(\d+)/m.exec(text))?.[1] ?? 0)
    } catch {
      // It has ended.
      return 0
    }
  })
}
