/**
 * The folders of a spool and the file that says which format they have.
 *
 *     postern-spool     the format: `Postern spool, format 1`
 *     segments/KEY/     segment files of one process
 *     bodies/           bodies above 64 KB
 *     msglog/           what `-Mvl` shows
 *     damaged/          what could not be read
 *     index/            the LMDB index
 */
import { SpoolError } from './api.ts'
import {
  type FileOwner,
  listFolder,
  makeFolder,
  readSmallFile,
  spoolError,
  syncFolderSync,
  writeSmallFile,
} from './disk.ts'

export const spoolFormat = 1
const marker = 'postern-spool'
const folders = ['segments', 'bodies', 'msglog', 'damaged'] as const

/** Makes what is missing of a spool, or refuses a folder that is not ours or newer than we are. */
export function prepareLayout(directory: string, owner: FileOwner | undefined, readOnly: boolean): void {
  try {
    const format = readFormat(directory)
    const problem = format === undefined ? eximSpoolProblem(directory) : undefined
    if (problem !== undefined) throw new SpoolError('io', problem)
    if (readOnly) {
      if (format === undefined) throw new SpoolError('io', `there is no spool in ${directory}`)
      return
    }
    let made = makeFolder(directory, owner)
    for (const folder of folders) made = makeFolder(`${directory}/${folder}`, owner) || made
    // Last, so that a folder with the marker is complete; durable with the folders before anything is accepted.
    if (format === undefined) {
      writeSmallFile(directory, marker, `Postern spool, format ${spoolFormat}\n`, owner, true)
    }
    if (made) syncFolderSync(directory)
  } catch (error) {
    throw spoolError(error, `preparing the spool ${directory}`)
  }
}

function readFormat(directory: string): number | undefined {
  const text = readSmallFile(`${directory}/${marker}`)?.toString('latin1')
  if (text === undefined) return undefined
  const format = Number(/^Postern spool, format (\d+)\s*$/.exec(text)?.[1] ?? Number.NaN)
  if (format === spoolFormat) return format
  if (format > spoolFormat) {
    throw new SpoolError(
      'io',
      `the spool ${directory} has format ${format} and was written by a newer Postern; this one knows formats up to ${spoolFormat}`,
    )
  }
  throw new SpoolError(
    'io',
    `${directory}/${marker} is not a format that Postern wrote: "${text.slice(0, 80).trim()}"`,
  )
}

/**
 * Why nothing may be written below a folder: it is an Exim's spool. Exim keeps `ID-H` and `ID-D` in `input/`, or in
 * folders of one character below it.
 */
export function eximSpoolProblem(directory: string): string | undefined {
  const input = `${directory}/input`
  const holds = (folder: string): boolean =>
    listFolder(folder).some((name) => /^[\w-]{16,23}-[HDJ]$/.test(name))
  const split = listFolder(input).filter((name) => /^\w$/.test(name))
  if (!holds(input) && !split.some((name) => holds(`${input}/${name}`))) return undefined
  return (
    `${directory} is the spool of an Exim. Postern does not write there: give it a spool_directory of its own, ` +
    `and take the messages over with "postern spool import ${directory}"`
  )
}
