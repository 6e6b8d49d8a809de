/** How often a typical expansion is evaluated in a second, once compiled. */
import { Expandable } from '../src/base/expandable.ts'
import { isFailure } from '../src/base/outcome.ts'
import { expansionBench, messageFacts } from '../test/support/expansion-context.ts'
import type { Figure } from './run.ts'

const texts: readonly { name: string; text: string }[] = [
  { name: 'a variable in text', text: 'user=$local_part' },
  {
    name: 'variables, if match, lc',
    text: '${if match{$local_part}{^pm}{${lc:$domain}}{$local_part@$domain}}',
  },
  { name: 'if eq with lc (Debian: condition)', text: '${if eq{$domain}{${lc:Example.ORG}}{yes}{no}}' },
  { name: 'extract by number', text: '${extract{2}{:}{x:42:99:& Mailer::/bin/bash}}' },
  { name: 'extract by name', text: '${extract{gid}{uid=1984 gid=2001}}' },
  { name: 'sg', text: '${sg{$local_part}{o}{0}}' },
  { name: 'map over a list of three', text: '${map{a:b:c}{[$item]}}' },
]

const address = { localPart: 'postmaster', domain: 'example.org' }

export async function run(): Promise<Figure[]> {
  const { expander, context } = expansionBench({ context: { address, message: messageFacts([]) } })
  const figures: Figure[] = []
  for (const { name, text } of texts) {
    const expandable = new Expandable(text)
    const first = await expander.expand(expandable, context)
    if (isFailure(first)) throw new Error(`${text}: ${first.message}`)
    figures.push({ name, value: ratePerSecond(() => void expander.expand(expandable, context)), unit: '/s' })
  }
  return figures
}

/** Runs for a third of a second after warming up. */
function ratePerSecond(once: () => void): number {
  for (let i = 0; i < 20_000; i++) once()
  const start = performance.now()
  let count = 0
  while (performance.now() - start < 333) {
    for (let i = 0; i < 1000; i++) once()
    count += 1000
  }
  return (count / (performance.now() - start)) * 1000
}
