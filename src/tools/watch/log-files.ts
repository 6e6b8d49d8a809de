/** Reads log files, rotated and compressed ones too. A door: it reads files. */
import { closeSync, createReadStream, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import type { ByteString } from '../../base/text.ts'

export type LogKind = 'main' | 'reject' | 'panic' | 'json'

export interface LogFile {
  readonly path: string
  readonly kind: LogKind
}

/** Lines beyond are cut: headers in the reject log are bounded by the server, but a file may hold anything. */
const longestLine = 1 << 20

/**
 * The files of the logs, oldest first: those written now, and those that logrotate or exicyclog put aside.
 * @param paths `log_file_path`; syslog and the standard streams hold no files
 */
export function findLogFiles(paths: readonly string[], jsonPath: string | undefined): LogFile[] {
  const found: (LogFile & { readonly changedAt: number })[] = []
  const add = (template: string, kind: LogKind): void => {
    const pattern = patternOf(basename(template).replace('%s', kind))
    const folder = dirname(template)
    for (const name of namesIn(folder)) {
      if (!pattern.test(name)) continue
      const path = join(folder, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat?.isFile() === true) found.push({ path, kind, changedAt: stat.mtimeMs })
    }
  }
  for (const path of paths) {
    if (!path.startsWith('/')) continue
    for (const kind of ['main', 'reject', 'panic'] as const) add(path, kind)
  }
  if (jsonPath !== undefined) add(jsonPath, 'json')
  return found
    .sort((a, b) => a.changedAt - b.changedAt || rotation(b.path) - rotation(a.path))
    .map(({ path, kind }) => ({ path, kind }))
}

/** The number that logrotate gave it: the higher, the older. */
function rotation(path: string): number {
  return Number(/\.(\d{1,6})(?:\.gz)?$/.exec(path)?.[1] ?? 0)
}

/** `mainlog`, `mainlog.1`, `mainlog.01.gz`, `mainlog-20261129`; with `%D` and `%M` those of every day. */
function patternOf(name: string): RegExp {
  const text = name
    .split(/(%[DM])/)
    .map((part) => (/^%[DM]$/.test(part) ? '\\d{6,8}' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('')
  return new RegExp(`^${text}(?:[.-]\\d+)*(?:\\.gz)?$`)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** @param onBytes told of how many bytes of the file were read so far */
export async function* linesOf(
  path: string,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<ByteString> {
  const file = createReadStream(path)
  let rest = ''
  try {
    const input = path.endsWith('.gz') ? file.pipe(createGunzip()) : file
    file.once('error', (error) => input.destroy(error))
    for await (const piece of input) {
      onBytes(file.bytesRead)
      rest += (piece as Buffer).toString('latin1')
      let from = 0
      for (let end = rest.indexOf('\n', from); end !== -1; end = rest.indexOf('\n', from)) {
        yield rest.slice(from, end)
        from = end + 1
      }
      rest = rest.slice(from).slice(0, longestLine)
    }
  } finally {
    file.destroy()
  }
  if (rest !== '') yield rest
}

/** The whole lines at the end of a file, so many bytes at most. */
export function tailOf(path: string, mostBytes: number): ByteString[] {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch {
    return []
  }
  try {
    const size = statSync(path).size
    const start = Math.max(0, size - mostBytes)
    const bytes = Buffer.alloc(Math.min(size, mostBytes))
    const read = readSync(descriptor, bytes, 0, bytes.length, start)
    const lines = bytes.subarray(0, read).toString('latin1').split('\n')
    if (start > 0) lines.shift()
    return lines.filter((line) => line !== '')
  } catch {
    return []
  } finally {
    closeSync(descriptor)
  }
}

export function sizeOfFile(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
