/** `postern uninstall`: takes back what `postern install` did. */
import { resolve } from 'node:path'
import { encodeUtf8 } from '../../../base/text.ts'
import { HostDoor } from '../../host/door.ts'
import { installed } from '../../host/layout.ts'
import { parseManifest, writeManifest } from '../../host/manifest.ts'
import { planUninstall } from '../../host/uninstall.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern uninstall [--prefix DIR] [--purge] [--dry-run]
  --purge          remove queue, logs, settings and the user too
  --dry-run        say what would be done, and do nothing
`

export function run(words: readonly string[], terminal: Terminal): number {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern uninstall: ${options}\n${usage}`))
    return 2
  }
  const host = new HostDoor(options.prefix)
  if (host.live && process.geteuid?.() !== 0) {
    terminal.err('postern uninstall: only root can do this\n')
    return 1
  }
  const manifest = parseManifest(host.read(installed.manifest) ?? '')
  if (manifest === undefined) {
    terminal.err(
      encodeUtf8(
        `postern uninstall: there is no ${host.at(installed.manifest)}: nothing was installed here\n`,
      ),
    )
    return 1
  }
  let failed = 0
  const { steps, kept } = planUninstall(host, manifest.made, options.purge)
  for (const step of steps) {
    if (options.dryRun) {
      terminal.out(encodeUtf8(`would ${step.what}\n`))
      continue
    }
    const wrong = step.run()
    if (typeof wrong === 'string') {
      failed++
      terminal.err(encodeUtf8(`could not ${step.what}: ${wrong}\n`))
    } else terminal.out(encodeUtf8(`${step.what}: done\n`))
  }
  if (kept.length > 0) {
    if (!options.dryRun) writeManifest(host, kept)
    const names = kept.map((each) => ('path' in each ? each.path : `the ${each.kind} ${each.name}`))
    terminal.out(encodeUtf8(`kept: ${names.join(', ')} ("postern uninstall --purge" removes them)\n`))
  }
  return failed === 0 ? 0 : 1
}

interface Options {
  readonly prefix: string
  readonly purge: boolean
  readonly dryRun: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    options: {
      prefix: { type: 'string', default: '/' },
      purge: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values } = read
  return { prefix: resolve(values.prefix), purge: values.purge, dryRun: values['dry-run'] }
}
