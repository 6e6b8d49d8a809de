/** exiwhat: what each process of this program is doing. Source: Exim manual, "Finding out what Exim processes are doing". */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { systemReason } from '../../../base/system-error.ts'
import type { Terminal } from '../terminal.ts'
import { openForTool } from './open.ts'

export const usage = 'usage: exiwhat [-C FILE] [-DNAME=VALUE]\n'

/** How long the processes may take to answer. */
const answerMs = 1000
/** Node opens its debugger at the signal until the program's first line has run: none that is younger is asked. */
const beginMs = 1000

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const server = await openForTool(words, terminal)
  if (server === undefined) return 1
  const path = server.settings.process_log_path ?? `${server.facts.spoolDirectory}/exim-process.info`
  await server.close()
  try {
    writeFileSync(path, '', { mode: 0o640 })
  } catch (error) {
    terminal.err(`exiwhat: ${path}: ${systemReason(error)}\n`)
    return 1
  }
  const found = processes(new Set([process.pid, process.ppid]))
  const youngestMs = Math.min(...found.map(ageMs))
  if (youngestMs < beginMs) await new Promise((resolve) => setTimeout(resolve, beginMs - youngestMs))
  const asked = found.filter((pid) => ask(pid))
  await new Promise((resolve) => setTimeout(resolve, asked.length === 0 ? 0 : answerMs))
  const lines = readFileSync(path, 'latin1')
    .split('\n')
    .filter((line) => line !== '')
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  if (lines.length === 0) terminal.out('No exim process data\n')
  else terminal.out(`${lines.join('\n')}\n`)
  return 0
}

/** Since its start; Infinity when it is gone. Linux counts a hundred ticks a second. */
function ageMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const started = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) * 10
    return Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000 - started
  } catch {
    return Infinity
  }
}

/** Each of them has a handler of SIGUSR1 before anything else that is ours, so the signal does no harm. */
function ask(pid: number): boolean {
  try {
    process.kill(pid, 'SIGUSR1')
    return true
  } catch {
    return false
  }
}

/** Processes that run the same program file as this one. */
function processes(without: ReadonlySet<number>): number[] {
  const own = process.argv[1] ?? ''
  const name = own.slice(own.lastIndexOf('/') + 1)
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => !without.has(pid) && runsProgram(pid, name))
}

function runsProgram(pid: number, name: string): boolean {
  try {
    const [program = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
    // Only what Node runs under one of our names: a signal to anything else could end it.
    if (!/(?:^|\/)node$/.test(program)) return false
    const file = script.slice(script.lastIndexOf('/') + 1)
    return ['postern', 'exim', 'exim4', 'sendmail', name].includes(file)
  } catch {
    return false
  }
}
