/** Random and mutated lists of all kinds, and their subjects. */
import { taint } from '../../../src/base/text.ts'
import type { Context, ListSubject } from '../../../src/ports.ts'
import { connectionFacts, expansionBench } from '../../support/expansion-context.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const seeds = [
  '*.example.org : !a.b : +x',
  '<; 10.0.0.0/8 ; 2001:db8::/32 ; !::1',
  '@ : @[] : @mx_any/ignore=127.0.0.1 : @mx_primary : @mx_secondary',
  '+include_unknown : *.b : ^.*\\.c\\$ : +ignore_defer : d',
  'net24-testdb;x : net-iplsearch;/none : testdb;$domain',
  'partial-lsearch;/none : partial2(.)-lsearch*@;/none : cdb;/none',
  '@@testdb;a : *@b : ^(?i)a+@b : postmaster@ : +caseful : a@*.c',
  ': a : : b',
  '::::::1 : a',
  '/nonexistent/file : !/nonexistent/other',
  '<\n a\n b\n !c',
  '\\N^(a+)+$\\N : ^(x|xx)*y\\$ : ^(?>a+)b',
  '1.2.3.4 : 1.2.3.0/24 : 1.2.3.4/33 : 1.2.*.4 : [1.2.3.4]',
]
const bits =
  ': :: ; <; <: ! !! + @ @[] * *. ^ \\N ( ) $ $item ${lc: /8 /129 . [ ] \n \0 \xff 9999999999 ,'.split(' ')
const subjects = [
  'a',
  '',
  'a.example.org',
  'a@b',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab',
  '1.2.3.4',
  '::1',
  'x\0y',
  'A@B@c',
]
const kinds = ['domain', 'host', 'address', 'localpart', 'string'] as const

export const lists: FuzzTarget = {
  name: 'lists',
  says: 'a list of any kind matches, does not, or says why it cannot tell, soon',
  make() {
    const nothing = { error: 'No such file or directory', code: 'ENOENT' }
    const bench = expansionBench({
      ports: {
        files: { read: () => nothing, stat: () => nothing, list: () => nothing, space: () => undefined },
      },
      context: { connection: connectionFacts({ hostAddress: '192.0.2.1' }) },
    })
    const { context } = bench
    return {
      // The first two bytes choose the kind and the subject, so that a found case is one text.
      generate: (random: Random) =>
        String.fromCharCode(random.below(kinds.length), random.below(subjects.length)) +
        mutate(random.pick(seeds), random, seeds, bits),
      async run(input) {
        const kind = kinds[input.charCodeAt(0) % kinds.length] ?? 'string'
        const subject = subjects[input.charCodeAt(1) % subjects.length] ?? ''
        return ask(kind, input.slice(2), subject, context)
      },
      close: () => bench.close(),
    }
  },
}

async function ask(
  kind: (typeof kinds)[number],
  list: string,
  subject: string,
  context: Context,
): Promise<string> {
  const { ports } = context
  const expanded = await ports.expandText(list, context)
  const text = typeof expanded === 'string' ? expanded : list
  ports.splitList(text)
  // The kind and the form of the subject belong together.
  const about = (
    kind === 'host' ? { address: /^[\d.:]+$/.test(subject) ? subject : undefined } : taint(subject, '$x')
  ) as ListSubject<typeof kind>
  const result = await ports.matchListText(kind, text, about, context)
  return 'message' in result ? result.message : result.is
}
