/** What `-brw` and `-brt` say of random rules: lines of the configuration, a line `--`, then a question a line. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWorld } from '../../support/routing-world.ts'
import type { Context } from '../../../src/ports.ts'
import type { Random } from '../random.ts'
import { runExim } from './ask.ts'
import { meantBy, type Reason } from './dialogue-forms.ts'
import { manyAtOnce } from './many.ts'
import type { BesideBench } from './target.ts'

export interface RulesBench {
  /** The section that the rules stand in. */
  readonly section: 'rewrite' | 'retry'
  readonly main: string
  readonly flag: '-brw' | '-brt'
  generate(random: Random): { readonly rules: readonly string[]; readonly questions: readonly string[] }
  /** What we say to a question, with what is logged. */
  answer(words: readonly string[], sender: string | undefined, context: Context): Promise<string>
  readonly reasons: readonly Reason[]
}

export function rulesBench(about: RulesBench): BesideBench {
  const folder = mkdtempSync(join(tmpdir(), 'postern-rules-'))
  // Exim logs as its own user.
  chmodSync(folder, 0o777)
  let made = 0
  const parts = (text: string): { configuration: string; questions: string[][] } => {
    const [rules = '', questions = ''] = text.split('\n--\n')
    return {
      configuration: `${about.main}begin ${about.section}\n${rules}\n`,
      questions: questions.split('\n').map((line) => (about.flag === '-brw' ? [line] : line.split(' '))),
    }
  }
  return {
    batch: 40,
    generate: (random) => {
      const { rules, questions } = about.generate(random)
      return `${rules.join('\n')}\n--\n${questions.join('\n')}`
    },
    takes: (text) => /\n--\n./.test(text),
    smaller: (text) => {
      const lines = text.split('\n')
      return lines.map((_, i) => lines.filter((__, j) => i !== j).join('\n'))
    },
    exim: (cases) =>
      manyAtOnce(cases, async (text) => {
        const { configuration, questions } = parts(text)
        const file = join(folder, `${made++}.conf`)
        writeFileSync(
          file,
          `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/%slog\nkeep_environment =\n${configuration}`,
          'latin1',
        )
        const said: string[] = []
        for (const words of questions) {
          const from = words[0]?.startsWith('-f') === true ? ['-f', words[0].slice(2)] : []
          const { out, problems } = await runExim(
            ['-C', file, ...from, about.flag, ...words.slice(from.length > 0 ? 1 : 0)],
            '',
          )
          if (/configuration error/i.test(problems)) return 'does not start'
          said.push([words.join(' '), out, problems].join('\n'))
        }
        rmSync(file)
        return alike(said.join('\n'))
      }),
    ours: async (cases) => {
      const answers: string[] = []
      for (const text of cases) {
        const { configuration, questions } = parts(text)
        const said: string[] = []
        try {
          for (const words of questions) {
            const world = createWorld(configuration)
            const from = words[0]?.startsWith('-f') === true ? words[0].slice(2) : undefined
            const out = await about.answer(words.slice(from === undefined ? 0 : 1), from, world.context)
            said.push([words.join(' '), out, ...world.logged].join('\n'))
          }
          answers.push(alike(said.join('\n')))
        } catch {
          answers.push('does not start')
        }
      }
      return answers
    },
    meant: (input, ours, exims) => meantBy(about.reasons, input, ours, exims),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Log lines stand where each writes them, in the same words. */
function alike(text: string): string {
  return text
    .replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm, '')
    .replaceAll(/^LOG: [A-Z ]+\n {2}/gm, '')
    .replaceAll(/^(?:main|panic|reject): /gm, '')
    .replaceAll(/\n\n+/g, '\n')
    .trimEnd()
}
