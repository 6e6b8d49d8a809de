/** Finds files below a folder of the build. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** URLs of all files below `folder` (relative to the build's root) whose names end in `ending`, sorted. */
export function globSync(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => pathToFileURL(join(root, folder, name)).href)
}
