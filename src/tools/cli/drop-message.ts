/** Hands a message to the daemon through its drop folder. Source: SECURITY.md, promise 13. */
import { encodeUtf8 } from '../../base/text.ts'
import { buildValues } from '../../server/build-table.ts'
import { dropFolderOf } from '../../server/drop-folder.ts'
import { systemFiles } from '../../server/files.ts'
import { writeDrop } from '../../store/drop.ts'
import { has, type Invocation } from './parse.ts'
import type { Terminal } from './terminal.ts'

/** The daemon reads the message under the name of whoever owns the file; errors come back by mail. */
export async function dropMessage(
  invocation: Invocation,
  terminal: Terminal,
  folder: string,
): Promise<number> {
  if (invocation.args.length === 0 && !has(invocation, '-t', '-ti')) {
    terminal.err(`${invocation.calledAs}: no recipients\n`)
    return 1
  }
  const args = process.argv.slice(2)
  const result = await writeDrop(folder, { calledAs: invocation.calledAs, args }, bytesOf(terminal.input))
  if (result.is === 'dropped') return 0
  terminal.err(`${invocation.calledAs}: the message cannot be handed over: ${encodeUtf8(result.why)}\n`)
  // EX_TEMPFAIL: programs that submit try again.
  return 75
}

/**
 * The drop folder of the usual spool, for a caller who may not even read the configuration, which may hold secrets:
 * undefined when it can be read, when it is another one (`-C`), or when there is no such folder.
 */
export function folderWithoutConfiguration(invocation: Invocation): string | undefined {
  if (invocation.mode !== 'accept-message' || has(invocation, '-C', '-D')) return undefined
  const file = buildValues.configurationFiles.find((one) => !('error' in systemFiles.stat(one)))
  if (file === undefined) return undefined
  const read = systemFiles.read(file, largestBytes)
  if (!('error' in read) || read.code !== 'EACCES') return undefined
  const folder = dropFolderOf(buildValues.spoolDirectory)
  return 'error' in systemFiles.stat(folder) ? undefined : folder
}
/** As much as a configuration file may have. */
const largestBytes = 64 * 1024 * 1024

async function* bytesOf(input: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const piece of input) yield typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
}
