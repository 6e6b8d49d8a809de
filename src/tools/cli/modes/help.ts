/** `--help`, and a call without anything. */
import { commands } from '../commands/index.ts'
import { has, type Invocation } from '../parse.ts'
import type { Terminal } from '../terminal.ts'

export function run(invocation: Invocation, terminal: Terminal): number {
  const asked = has(invocation, '--help')
  const text = invocation.calledAs === 'postern' ? ownHelp() : eximHelp()
  if (asked || invocation.calledAs !== 'postern') terminal.out(text)
  else terminal.err(text)
  // Exim ends with 1 when it is called with nothing to do.
  return asked ? 0 : 1
}

function eximHelp(): string {
  return `Postern is a Mail Transfer Agent that runs Exim configurations. It is normally called by Mail User Agents,
not directly from a shell command line. Options and/or arguments control
what it does when called. For a list of options, see the Exim documentation.
`
}

function ownHelp(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const list = Object.entries(commands).map(([name, row]) => `  postern ${name.padEnd(width)}  ${row.doc}`)
  return `Postern is a mail transfer agent that runs Exim configuration files.

${list.join('\n')}

"postern help COMMAND" tells the words of one.
Every flag of Exim's command line works as well: postern -bd -q30m, postern -bp, postern -be '$primary_hostname'.
Under the names sendmail, mailq, exim, exim4, runq, rmail, rsmtp and newaliases it behaves as those do.
`
}
