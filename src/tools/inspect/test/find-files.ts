/** The test files of folders, and what lies beside them. A door: it reads files. */
import { fstatSync, readdirSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { systemReason } from '../../../base/system-error.ts'
import { type ByteString, fromBytes } from '../../../base/text.ts'
import type { Sources } from './read-file.ts'

const ending = /\.postern-test\.ya?ml$/
/** Folders that hold what others made. */
const skipped = new Set(['node_modules', '.git'])
const mostFiles = 100_000
const largestBytes = 64 * 1024 * 1024

/** The files that are named, and those in the folders that are; a sentence when one is not there. */
export function findTestFiles(names: readonly string[]): readonly string[] | string {
  return findFiles(names, ending)
}

export function findFiles(names: readonly string[], wanted: RegExp): readonly string[] | string {
  const found: string[] = []
  for (const name of names) {
    const stat = statSync(name, { throwIfNoEntry: false })
    if (stat === undefined) return `there is no file or folder ${name}`
    if (stat.isDirectory()) walk(name, wanted, found)
    else found.push(name)
  }
  return found
}

function walk(folder: string, wanted: RegExp, found: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (found.length >= mostFiles) return
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) walk(path, wanted, found)
    } else if (wanted.test(entry.name)) found.push(path)
  }
}

export function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined
}

/** The text of a file, or why it cannot be read. */
export function readText(file: string): { readonly text: string } | { readonly error: string } {
  try {
    if (statSync(file).size > largestBytes) return { error: `${file} is larger than 64 MB` }
    return { text: readFileSync(file, 'utf8') }
  } catch (error) {
    return { error: `${file}: ${systemReason(error)}` }
  }
}

/** Names in a test file are taken from its folder. */
export function sourcesOf(file: string): Sources {
  const folder = dirname(resolve(file))
  return {
    resolve: (name) => resolve(folder, name),
    readFile(name) {
      try {
        return fromBytes(readFileSync(resolve(folder, name)))
      } catch {
        return undefined
      }
    },
  }
}

/** The bytes of a file, or why it cannot be read. */
export function readBytes(file: string): { readonly bytes: ByteString } | { readonly error: string } {
  try {
    return { bytes: fromBytes(readFileSync(file)) }
  } catch (error) {
    return { error: `${file}: ${systemReason(error)}` }
  }
}

export function writeText(file: string, text: string): void {
  writeFileSync(file, text)
}

/** Resolves when one of the files, or a file in one of the folders, has changed; not when it is one that we write. */
export function changed(
  paths: readonly string[],
  settleMs: number,
  written: string | undefined,
): Promise<void> {
  return new Promise((done) => {
    let timer: NodeJS.Timeout | undefined
    // Editors put a new file in the place of the old one: the folder tells.
    const folders = [...new Set(paths.map((path) => (isFolder(path) ? path : dirname(path))))]
    const watchers = folders.map((folder) =>
      watch(folder, { recursive: false }, (_, name) => {
        if (name !== null && isOurs(join(folder, name), written)) return
        clearTimeout(timer)
        timer = setTimeout(() => {
          for (const watcher of watchers) watcher.close()
          done()
        }, settleMs)
      }),
    )
  })
}

/** The file that is written, and those that standard output and standard error go to. */
function isOurs(path: string, written: string | undefined): boolean {
  if (written !== undefined && resolve(written) === resolve(path)) return true
  const found = statSync(path, { throwIfNoEntry: false })
  return [1, 2].map((fd) => fstatSync(fd)).some(({ ino, dev }) => found?.ino === ino && found.dev === dev)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
