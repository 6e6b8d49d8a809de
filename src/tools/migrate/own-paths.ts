/**
 * Postern keeps its queue and logs apart from Exim's: the settings that name Exim's places are replaced in the copy of
 * the configuration. Text only; whoever calls reads and writes the files.
 */
import { locate } from '../../base/diagnostic.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { buildValues } from '../../server/build-table.ts'

/** Settings that must not stay as they are, and what they become. Undefined: left out, the default is right. */
const replaced: Readonly<Record<string, string | undefined>> = {
  spool_directory: buildValues.spoolDirectory,
  log_file_path: buildValues.logFilePath,
  pid_file_path: buildValues.pidFilePath,
  exim_user: undefined,
  exim_group: undefined,
  exim_path: undefined,
}

export interface OwnPaths {
  readonly text: string
  /** What was changed: `line 12: spool_directory = /var/spool/exim4`. */
  readonly changes: readonly string[]
  /** Settings in included files, which are not copied. */
  readonly elsewhere: readonly string[]
}

/** @param text of the file that was read first, one character a byte */
export function withOwnPaths(text: string, configuration: Configuration): OwnPaths {
  const lines = text.split('\n')
  const changes: string[] = []
  const elsewhere: string[] = []
  for (const [option, value] of Object.entries(replaced)) {
    const at = configuration.mainSetAt.get(option)
    if (at === undefined) continue
    const place = locate(at)
    if (place.file !== configuration.file) {
      elsewhere.push(`${place.file}, line ${place.line}: ${option}`)
      continue
    }
    let index = place.line - 1
    changes.push(`line ${place.line}: ${(lines[index] ?? '').trim()}`)
    // A setting may go on over several lines; each but the last ends with a backslash.
    for (;;) {
      const line = lines[index] ?? ''
      lines[index] = `# Postern: ${line.replace(/\\\s*$/, '(goes on)')}`
      if (!/\\\s*$/.test(line) || ++index >= lines.length) break
    }
    if (value !== undefined) lines[place.line - 1] += `\n${option} = ${value}`
  }
  return { text: lines.join('\n'), changes, elsewhere }
}
