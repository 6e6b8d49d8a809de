/** `-bI:NAME`: lists for programs. Source: Exim manual, "-bI:help". */
import { dscpNames } from '../../../base/dscp.ts'
import { capabilities } from '../../../flow/routing/filter/sieve/script.ts'
import { type Invocation, valueOf } from '../parse.ts'
import type { Terminal } from '../terminal.ts'

const help = `The -bI: flag takes a string indicating which information to provide.
If the string is not recognised, you'll get this help (on stderr).

  exim -bI:help    this information
  exim -bI:dscp    list of known dscp value keywords
  exim -bI:sieve   list of supported sieve extensions
`

export function run(invocation: Invocation, terminal: Terminal): number {
  switch ((valueOf(invocation, '-bI:') ?? '').toLowerCase()) {
    case 'help':
      terminal.out(help)
      return 0
    case 'dscp':
      terminal.out(`${dscpNames.join('\n')}\n`)
      return 0
    case 'sieve':
      // Those two every interpreter has; Exim does not list them.
      for (const name of capabilities) {
        if (!/^comparator-i;(?:ascii-casemap|octet)$/.test(name)) terminal.out(`${name}\n`)
      }
      return 0
    default:
      terminal.err(help)
      return 1
  }
}
