/**
 * Which versions of Postern have worked on a spool, the latest last: the file `postern-versions`, a line each,
 * `0.1.0 2026-11-29T11:00:00.000Z`. An upgrade knows from it what there was before.
 */
import { type FileOwner, readSmallFile, writeSmallFile } from './disk.ts'

const name = 'postern-versions'
const mostLines = 50

/** The version that a daemon ran last on this spool; undefined: none has said so. */
export function recordedVersion(directory: string): string | undefined {
  return /^(\S+)/.exec(linesOf(directory).at(-1) ?? '')?.[1]
}

/**
 * Writes down that this version runs now.
 * @param at milliseconds since 1970
 * @returns the version of before, when it was another one
 */
export function recordVersion(
  directory: string,
  version: string,
  at: number,
  owner: FileOwner | undefined,
): string | undefined {
  const before = recordedVersion(directory)
  if (before === version) return undefined
  const lines = [...linesOf(directory), `${version} ${new Date(at).toISOString()}`].slice(-mostLines)
  writeSmallFile(directory, name, `${lines.join('\n')}\n`, owner)
  return before
}

function linesOf(directory: string): string[] {
  const text = readSmallFile(`${directory}/${name}`)?.toString('latin1') ?? ''
  return text.split('\n').filter((line) => /^\d+\.\d+\.\d+\S* /.test(line))
}
