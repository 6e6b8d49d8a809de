/** Reads a configuration from memory, for tests. */
import { type Diagnostic, locate } from '../../src/base/diagnostic.ts'
import { toBytes } from '../../src/base/text.ts'
import type { Configuration } from '../../src/language/config/configuration.ts'
import { type ReadRequest, readConfiguration } from '../../src/language/config/read.ts'
import { tableRegistries } from './registries.ts'

export interface ReadTextOptions extends Partial<Pick<ReadRequest, 'defines' | 'registries'>> {
  /** Other files, by path. */
  readonly files?: Readonly<Record<string, string>>
}

/** Reads `text` as the file /c/main. */
export function readText(text: string, options: ReadTextOptions = {}): Configuration {
  const files: Readonly<Record<string, string>> = { '/c/main': text, ...options.files }
  return readConfiguration({
    file: '/c/main',
    readFile: (path) => {
      const found = Object.hasOwn(files, path) ? files[path] : undefined
      if (found === undefined) return { error: 'No such file or directory', code: 'ENOENT' }
      return { bytes: toBytes(found) }
    },
    registries: options.registries ?? tableRegistries,
    ...(options.defines && { defines: options.defines }),
  })
}

/** Findings but for those that tell what this version lacks. */
export function mistakes({ diagnostics }: Configuration): Diagnostic[] {
  return diagnostics.filter(({ code }) => !/^(?:option|driver)-pending/.test(code))
}

/** `line:column message`. */
export function brief(diagnostic: Diagnostic): string {
  const place = diagnostic.at && locate(diagnostic.at)
  return `${place?.line}:${place?.column} ${diagnostic.message}`
}
