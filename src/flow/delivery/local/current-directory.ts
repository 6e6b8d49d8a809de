/** Where a local delivery runs. Source: Exim manual, "Current and home directories". */
import { constants as fileModes } from 'node:fs'
import { access } from 'node:fs/promises'
import type { LocalResult } from '../local-job.ts'
import { fileError } from './file-error.ts'

/** What stands in the way of a delivery in this folder; undefined: nothing does. */
export async function unusableFolder(folder: string): Promise<LocalResult | undefined> {
  try {
    await access(folder, fileModes.X_OK)
    return undefined
  } catch (error) {
    const { errno, text } = fileError(error)
    return { is: 'deferred', errno, more: 0, errorText: text, message: `failed to chdir to ${folder}` }
  }
}
