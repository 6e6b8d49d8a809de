/**
 * What processes beside the daemon have counted (`sendmail`, `-q`, `-M`): each leaves a small file in the spool when it
 * ends, and the daemon adds it to its own numbers. A file is taken by the worker that succeeds in removing it.
 */
import {
  errorCode,
  type FileOwner,
  listFolder,
  makeFolder,
  readSmallFile,
  removeQuietly,
  unlinkFile,
  writeSmallFile,
} from '../../store/spool/disk.ts'
import { type Counters, countersOf, isMetricValues } from './counters.ts'

/** While no daemon takes them; what comes beyond is not counted. */
const mostFiles = 2000

function folderOf(spoolDirectory: string): string {
  return `${spoolDirectory}/metrics`
}

/** Leaves the counters of this process for the daemon. A process that may not write there leaves nothing. */
export function leaveCounts(spoolDirectory: string, counters: Counters, owner: FileOwner | undefined): void {
  const values = countersOf(counters.values())
  if (values.length === 0) return
  const folder = folderOf(spoolDirectory)
  try {
    makeFolder(folder, owner)
    if (listFolder(folder).length >= mostFiles) return
    writeSmallFile(folder, `${process.pid}-${Date.now()}`, JSON.stringify(values), owner)
  } catch {
    // Numbers are not worth a complaint of sendmail's.
  }
}

/** Adds what others have left. */
export function takeCounts(spoolDirectory: string, counters: Counters): void {
  const folder = folderOf(spoolDirectory)
  for (const name of listFolder(folder)) {
    if (name.startsWith('.')) continue
    const path = `${folder}/${name}`
    try {
      const text = readSmallFile(path)?.toString('utf8') ?? ''
      unlinkFile(path)
      const values: unknown = JSON.parse(text)
      if (!isMetricValues(values)) continue
      for (const { name: metric, rows } of values)
        for (const [labels, value] of rows) counters.add(metric, value, ...labels)
    } catch (error) {
      // Another worker was quicker; or it is no file of ours.
      if (errorCode(error) !== 'ENOENT') removeQuietly(path)
    }
  }
}
