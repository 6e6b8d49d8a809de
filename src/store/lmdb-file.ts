/**
 * Looks at an LMDB file before LMDB does: opening one that is not whole can end the process (SIGSEGV, SIGBUS), and
 * LMDB has no checksums of its own.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** At the beginning of heads and lock files. */
export const lmdbMagic = 0xbeef_c0de
const headBytes = 160

/** Why a file cannot be an LMDB environment; undefined when its two heads are good and all its pages are there. */
export function lmdbFileProblem(path: string): string | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return missing ? undefined : String(error)
  }
  try {
    const { size } = fstatSync(fd)
    if (size === 0) return undefined
    const first = head(fd, 0)
    if (first === undefined) return 'it is not an LMDB file'
    const second = head(fd, first.pageBytes)
    if (second === undefined) return 'its second head is damaged'
    const newest = first.transaction > second.transaction ? first : second
    const needed = (newest.lastPage + 1n) * BigInt(newest.pageBytes)
    return BigInt(size) < needed ? `it is cut off at ${size} of ${needed} bytes` : undefined
  } finally {
    closeSync(fd)
  }
}

/** Offsets as in LMDB's data version 2: page head of 24 bytes, then the meta structure. */
function head(
  fd: number,
  position: number,
): { readonly pageBytes: number; readonly lastPage: bigint; readonly transaction: bigint } | undefined {
  const bytes = Buffer.alloc(headBytes)
  if (readSync(fd, bytes, 0, headBytes, position) < headBytes) return undefined
  const pageBytes = bytes.readUInt32LE(48)
  const good =
    bytes.readUInt32LE(24) === lmdbMagic &&
    bytes.readUInt32LE(28) === 2 &&
    pageBytes >= 512 &&
    pageBytes <= 65_536
  if (!good) return undefined
  return { pageBytes, lastPage: bytes.readBigUInt64LE(144), transaction: bytes.readBigUInt64LE(152) }
}
