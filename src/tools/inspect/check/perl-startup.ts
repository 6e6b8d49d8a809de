/** `${perl` in a configuration that starts no Perl. */
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

export const perlStartup: Check = {
  name: 'perl-startup',
  doc: 'Calls of Perl subroutines without the code that defines them.',
  run({ configuration, texts }, report) {
    if (configuration.main.perl_startup !== undefined) return
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'item' || node.name !== 'perl') return
          report({
            code: 'perl-startup',
            severity: 'error',
            message: 'a setting of perl_startup is needed when using the Perl interpreter',
            at: text.span(node.start, node.end),
            help: "such as perl_startup = do '/etc/exim4/exim.pl'",
          })
        },
      })
    }
  },
}
