/** Makes the folders of a mailbox with the very mode that is asked for, whatever the process's mask takes away. */
import { chmod, mkdir } from 'node:fs/promises'
import { dirname, sep } from 'node:path'

/** Makes a folder and those above it that are missing. Source: Exim manual, appendfile, "create_directory" and "directory_mode". */
export async function makeFolders(path: string, mode: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode })
  if (first === undefined || (mode & 0o077) === 0) return
  for (let made = path; made === first || made.startsWith(first + sep); made = dirname(made))
    await chmod(made, mode)
}

/** Makes one folder; it may be there already. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return
    throw error
  }
  if ((mode & 0o077) !== 0) await chmod(path, mode)
}
