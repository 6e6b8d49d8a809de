/** `-brt`: the retry rule for an address or host. Source: Exim manual, "-brt". */
import { formatInterval } from '../../../base/interval.ts'
import { errorFault } from '../../../language/config/retry.ts'
import type { RetryInterval, RetryRule } from '../../../language/config/configuration.ts'
import type { ServerCall } from '../call.ts'
import { operands } from '../parse.ts'

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const words = [...operands(invocation)]
  const first = words.shift()
  if (first === undefined) {
    terminal.err('-brt needs a domain or address argument\n')
    return 1
  }
  const second = words[0]?.includes('.') === true ? words.shift() : undefined
  const error = words.shift()
  const fault = error === undefined ? undefined : errorFault(error)
  if (fault !== undefined) {
    terminal.err(`${fault.message}\n`)
    return 1
  }
  for (const subject of [first, second]) {
    if (subject === undefined) continue
    for (const rule of server.configuration.retry) {
      if (!errorIs(rule, error)) continue
      const address = subject.includes('@') ? subject : `*@${subject}`
      const found =
        rule.pattern.text === '*' ||
        (await server.ports.matchList('address', rule.pattern, address, server.context())).is === 'match'
      if (!found) continue
      terminal.out(`Retry rule: ${showRule(rule)}\n`)
      return 0
    }
  }
  terminal.out('No retry information found\n')
  return 0
}

/** Without an error on the command line only rules for any error apply. */
function errorIs({ error }: RetryRule, wanted: string | undefined): boolean {
  if (error.name === '*') return true
  const name = nameOf(error)
  // `rcpt_45x` covers `rcpt_451`.
  return (
    wanted !== undefined &&
    new RegExp(`^${name.replace(/x/g, (x, at: number) => (/_4/.test(name) && at > 3 ? '.' : x))}$`).test(
      wanted,
    )
  )
}

function nameOf(error: RetryRule['error']): string {
  return error.extra === undefined ? error.name : `${error.name}_${error.extra}`
}

function showRule(rule: RetryRule): string {
  const senders = rule.senders === undefined ? '' : `  senders=${rule.senders.text}`
  return `${rule.pattern.text}  ${nameOf(rule.error)}${senders}  ${rule.intervals.map(showInterval).join('')}`
}

function showInterval({ rule, cutoff, interval, factor }: RetryInterval): string {
  const grows = factor === undefined ? '' : `,${factor}`
  return `${rule},${formatInterval(cutoff)},${formatInterval(interval)}${grows}; `
}
