/**
 * `postern dbmbuild SOURCE FILE`: makes a file for dbm lookups, or one for cdb, from a file in the form of lsearch, with the
 * switches of Exim's exim_dbmbuild. Source: Exim manual, "Making DBM files (exim_dbmbuild)".
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { systemReason } from '../../../base/system-error.ts'
import { fromBytes } from '../../../base/text.ts'
import { buildBerkeley, longestKey } from '../../../language/lookups/berkeley-write.ts'
import { buildCdb } from '../../../language/lookups/cdb-write.ts'
import { eachEntry, type Entry } from '../../../language/lookups/lines.ts'
import { progress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern dbmbuild [-nolc] [-nozero] [-noduperr] [-lastdup] [-nowarn] SOURCE FILE
makes FILE from SOURCE (- for the standard input), a file in the form of lsearch: a Berkeley DB file for dbm lookups
(with -nozero for dbmnz), or a cdb file when the name ends in .cdb
`

const switches = ['-lastdup', '-nolc', '-noduperr', '-nowarn', '-nozero'] as const
type Switch = (typeof switches)[number]

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const given = new Set(words.filter((word): word is Switch => switches.some((each) => each === word)))
  const [source, file, ...more] = words.filter((word) => !given.has(word as Switch))
  const unknown = [source, file].some((word) => word === undefined || /^-./.test(word))
  if (source === undefined || file === undefined || unknown || more.length > 0) {
    terminal.err(usage)
    return 1
  }
  if (source === file) {
    terminal.err('postern dbmbuild: input and output filenames are the same\n')
    return 1
  }
  let text: string
  try {
    text = fromBytes(readFileSync(source === '-' ? 0 : source))
  } catch (error) {
    terminal.err(`postern dbmbuild: unable to open ${source}: ${systemReason(error)}\n`)
    return 1
  }
  const { entries, duplicates } = await collect(text, given, terminal)
  const isCdb = file.endsWith('.cdb')
  if (!isCdb && entries.some(({ key }) => key.length > longestKey)) {
    terminal.err(`postern dbmbuild: keys longer than ${longestKey} characters cannot be handled\n`)
    return 1
  }
  // In a cdb file nothing ends with a zero.
  const zero = isCdb || given.has('-nozero') ? '' : '\0'
  const ended = entries.map(({ key, data }) => ({ key: key + zero, data: data + zero }))
  const bytes = isCdb ? buildCdb(entries) : buildBerkeley(ended)
  if (bytes === undefined) {
    terminal.err(`postern dbmbuild: ${source} is too large for ${isCdb ? 'a cdb' : 'a Berkeley DB'} file\n`)
    return 1
  }
  const problem = write(file, bytes)
  if (problem !== undefined) {
    terminal.err(problem)
    return 1
  }
  terminal.out(`${entries.length} ${entries.length === 1 ? 'entry' : 'entries'} written\n`)
  if (duplicates === 0) return 0
  terminal.out(`${duplicates} duplicate key${duplicates === 1 ? '' : 's'} \n`)
  return given.has('-noduperr') ? 0 : 1
}

async function collect(
  text: string,
  given: ReadonlySet<Switch>,
  terminal: Terminal,
): Promise<{ readonly entries: Entry[]; readonly duplicates: number }> {
  const kept = new Map<string, Entry>()
  let duplicates = 0
  let read = 0
  const shown = progress(terminal, 'entries read')
  await eachEntry(text, ({ key, data }) => {
    shown.at(++read)
    const name = given.has('-nolc') ? key : key.toLowerCase()
    if (kept.has(name)) {
      duplicates++
      if (!given.has('-nowarn')) {
        shown.end()
        terminal.err(`** Duplicate key "${name}"\n`)
      }
      if (!given.has('-lastdup')) return
    }
    kept.set(name, { key: name, data })
  })
  shown.end()
  return { entries: [...kept.values()], duplicates }
}

/** Under another name first, so that readers see the old file or the new one. */
function write(file: string, bytes: Buffer): string | undefined {
  const temporary = `${file}.dbmbuild_temp`
  try {
    rmSync(temporary, { force: true })
    writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o644 })
    renameSync(temporary, file)
    return undefined
  } catch (error) {
    rmSync(temporary, { force: true })
    return `postern dbmbuild: unable to create ${temporary}: ${systemReason(error)}\n`
  }
}
