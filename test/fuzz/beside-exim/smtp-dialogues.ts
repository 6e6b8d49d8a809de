/** Random SMTP dialogues on standard input: what both reply and log. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postern } from '../../support/server.ts'
import type { Random } from '../random.ts'
import { exim, runProgram } from './ask.ts'
import { dialogueReasons, differingLines, meantBy, type Reason, withoutLines } from './dialogue-forms.ts'
import { manyAtOnce } from './many.ts'
import { dialogue, dialogueConfiguration } from './smtp-grammar.ts'
import type { BesideBench, BesideTarget } from './target.ts'

/** A case is a line `bs` or `bh` with settings between `;`, and the lines of the client. */
function makeBench(): BesideBench {
  const folder = mkdtempSync(join(tmpdir(), 'postern-dialogues-'))
  chmodSync(folder, 0o755)
  let made = 0
  const answer = async (program: string, text: string): Promise<string> => {
    const place = join(folder, String(made++))
    for (const path of [place, join(place, 'spool'), join(place, 'log')]) {
      mkdirSync(path)
      // Each writes as its own user.
      chmodSync(path, 0o777)
    }
    const [first = '', ...lines] = text.split('\n')
    const [mode = 'bs', ...settings] = first.split(';')
    const file = join(place, 'exim.conf')
    writeFileSync(file, dialogueConfiguration(place, settings), 'latin1')
    const given =
      mode === 'bh' ? ['-bh', '192.0.2.9'] : ['-bs', '-oMa', '192.0.2.9', '-oMs', 'client.example', '-odq']
    const { out, problems } = await runProgram(
      program,
      ['-C', file, ...given],
      lines.map((line) => `${line}\r\n`).join(''),
    )
    const log = (name: string): string => {
      try {
        return readFileSync(join(place, 'log', name), 'latin1')
      } catch {
        return ''
      }
    }
    const told = problems.split('\n').filter((line) => line.startsWith('LOG: '))
    const all = [out, ...told, '--- main', log('mainlog'), '--- reject', log('rejectlog')]
    rmSync(place, { recursive: true, force: true })
    return alike(all.join('\n'))
  }
  return {
    batch: 24,
    generate: (random: Random) => dialogue(random),
    takes: (input) => /^b[sh](;|\n)/.test(input),
    smaller: withoutLines,
    form: differingLines,
    exim: (cases) => manyAtOnce(cases, (text) => answer(exim, text)),
    ours: (cases) => manyAtOnce(cases, (text) => answer(postern, text)),
    meant: (input, ours, exims) => meantBy(reasons, input, ours, exims),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Times and ids are not the same twice. */
function alike(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(/^250-(?:LIMITS .*|PIPECONNECT)\n/gm, '')
    .replaceAll(/^\*\*\*\* SMTP testing.*\n/gm, '')
    .replaceAll(/^.*(?:may not follow|^50[13][ -]).*$/gm, (line) => line.replaceAll(/[ =]+/g, ' ').trimEnd())
    .replaceAll(/^503-All RCPT commands were rejected with this error:\n503-.*\n/gm, '')
    .replaceAll(/\b[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})\b/g, 'ID')
    .replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm, '')
    .replaceAll(/id\*=E[0-9A-Za-z-]+@/g, 'id*=EID@')
    .replaceAll('utf8esmtp', 'esmtp')
    .replaceAll(/byte chunk, total \d+/g, 'byte chunk, total N')
    .replaceAll('LOG: ID ', 'LOG: ')
    .replaceAll(/ S=\d+/g, ' S=N')
    .replaceAll(/ D=[\d.]+s/g, ' D=TIME')
    .replaceAll(/\n\n+/g, '\n')
}

/** docs/decisions/smtp-reception-and-exim.md tells them. */
const reasons: readonly Reason[] = [...dialogueReasons]

export const smtpDialogues: BesideTarget = {
  name: 'smtp-dialogues',
  says: 'random SMTP dialogues get the replies and log lines of Exim',
  seed: 1,
  // Two processes a case: too slow here.
  cases: 0,
  make: makeBench,
}
