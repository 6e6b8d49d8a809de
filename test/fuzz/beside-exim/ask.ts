/** One Exim that answers many lines of `-be`. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

export const exim = process.env['POSTERN_TEST_EXIM4'] ?? '/usr/sbin/exim4'

/** Why there is nothing to compare with; false: there is. */
export const noExim: string | false = existsSync(exim)
  ? process.getuid?.() === 0
    ? false
    : 'needs root: Exim gives up its rights for a file given with -C'
  : `no Exim at ${exim} (POSTERN_TEST_EXIM4 names another place)`

export interface Said {
  readonly out: string
  readonly problems: string
}

export function runExim(args: readonly string[], input: string): Promise<Said> {
  return runProgram(exim, args, input)
}

export function runProgram(program: string, args: readonly string[], input: string): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: '/', stdio: 'pipe' })
    const out: Buffer[] = []
    const problems: Buffer[] = []
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => problems.push(bytes))
    child.once('error', reject)
    child.once('close', () =>
      resolve({
        out: Buffer.concat(out).toString('latin1'),
        problems: Buffer.concat(problems).toString('latin1'),
      }),
    )
    child.stdin.on('error', () => {})
    child.stdin.end(Buffer.from(input, 'latin1'))
  })
}

/** The answer where Exim ended instead. */
export const ended = '(ended)'

/** The values of all texts; a mark follows each, since values may have several lines. */
export async function expandAll(args: readonly string[], texts: readonly string[]): Promise<string[]> {
  if (texts.length === 0) return []
  const { out } = await runExim(args, texts.map((text, i) => `${text}\n=====${i}=====\n`).join(''))
  const answers: string[] = []
  let at = 0
  for (let i = 0; i < texts.length; i++) {
    const mark = `\n> =====${i}=====\n`
    const end = out.indexOf(mark, at)
    if (end < 0) break
    answers.push(out.slice(at, end).replace(/^> /, ''))
    at = end + mark.length
  }
  if (answers.length === texts.length) return answers
  if (texts.length === 1) return [ended]
  // What ended the process took answers along that were not yet written.
  const half = texts.length >> 1
  return [...(await expandAll(args, texts.slice(0, half))), ...(await expandAll(args, texts.slice(half)))]
}
