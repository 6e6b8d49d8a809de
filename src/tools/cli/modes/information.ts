/** `-bI:NAME`: lists for programs. Source: Exim manual, "-bI:help". */
import { capabilities } from '../../../flow/routing/filter/sieve/script.ts'
import { type Invocation, valueOf } from '../parse.ts'
import type { Terminal } from '../terminal.ts'

const help = `The -bI: flag takes a string indicating which information to provide.
If the string is not recognised, you'll get this help (on stderr).

  exim -bI:help    this information
  exim -bI:dscp    list of known dscp value keywords
  exim -bI:sieve   list of supported sieve extensions
`

/** Values of the `dscp` option of smtp transports and `control = dscp`. Source: RFC 2474, 2597, 3246, 8622. */
const dscpNames =
  'af11 af12 af13 af21 af22 af23 af31 af32 af33 af41 af42 af43 ef ' +
  'lowcost lowdelay mincost reliability throughput'

export function run(invocation: Invocation, terminal: Terminal): number {
  switch ((valueOf(invocation, '-bI:') ?? '').toLowerCase()) {
    case 'help':
      terminal.out(help)
      return 0
    case 'dscp':
      terminal.out(`${dscpNames.replaceAll(' ', '\n')}\n`)
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
