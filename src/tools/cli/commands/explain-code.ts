/** `postern explain-code CODE`: what stands behind the code of a finding. */
import { nearest } from '../../../base/diagnostic.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { codes } from '../../inspect/codes.ts'
import type { Terminal } from '../terminal.ts'

export const usage = 'usage: postern explain-code CODE | --all\n'

export function run(words: readonly string[], terminal: Terminal): number {
  const [code] = words
  if (code === undefined || words.length > 1) {
    terminal.err(usage)
    return 2
  }
  if (code === '--all') {
    for (const [name, { says }] of Object.entries(codes))
      terminal.out(encodeUtf8(`${name.padEnd(28)} ${says}\n`))
    return 0
  }
  const row = codes[code]
  if (row === undefined) {
    const near = nearest(code, Object.keys(codes))
    terminal.err(
      `postern explain-code: no finding has the code "${code}"${near === undefined ? '; --all lists them' : `; did you mean "${near}"?`}\n`,
    )
    return 1
  }
  terminal.out(encodeUtf8(`${code}\n  ${row.says}\n  ${row.more}\n`))
  return 0
}
