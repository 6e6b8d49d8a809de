/** `${perl{subroutine}{argument}...}`. Source: Exim manual, "Embedded Perl". */
import { type Awaitable, Failure, isFailure, type Outcome } from '../../../base/outcome.ts'
import { refuseTainted, type Environment, Environment as Inner, failure } from '../environment.ts'
import { textOf } from '../../../base/text.ts'
import type { PerlAnswer, PerlResult } from '../doors/doors.ts'
import { plainItem } from './kinds.ts'

/** The name and eight arguments. */
const mostArguments = 9

export const perl = plainItem({
  name: 'perl',
  doc: 'Calls a Perl subroutine that the code of perl_startup defines.',
  since: '0.1',
  manual: 'Embedded Perl',
  least: 1,
  most: mostArguments,
  apply([name = '', ...values], environment): Awaitable<Outcome> {
    const { context, engine } = environment
    const { perl_startup: startup, perl_taintmode: taintMode, perl_at_start: atStart } = context.settings
    if (startup === undefined)
      return failure('A setting of perl_startup is needed when using the Perl interpreter')
    const refused = refuseTainted(name, 'Perl subroutine')
    if (refused !== undefined) return refused
    const word = textOf(name)
    return engine.doors
      .callPerl({
        startup,
        taintMode,
        atStart,
        environment: engine.doors.environment(context),
        name: word,
        values: values.map(textOf),
        of: context.connection ?? context.message ?? engine,
        within: context.perl,
        expand: (text, within) => answer(text, within, environment),
        log: (text) => context.ports.log.main(context.message?.id, text),
        debug: (text) => context.debug?.('expand', text.replace(/\n$/, '')),
      })
      .then((result) => conclude(word, result))
  },
})

async function answer(
  text: string,
  within: object,
  { context, engine, depth }: Environment,
): Promise<PerlAnswer> {
  const inner = new Inner({ ...context, perl: within }, engine, depth)
  const outcome = await engine.expandWithin(text, inner)
  if (!isFailure(outcome)) return { is: 'value', text: textOf(outcome) }
  return outcome.kind === 'forced' ? { is: 'forced' } : { is: 'failed', message: outcome.message }
}

/** What Perl gives is the word of the code, as in Exim: not tainted, whatever its arguments are. */
function conclude(name: string, result: PerlResult): Outcome {
  switch (result.is) {
    case 'value':
      return result.text
    case 'nothing':
      return new Failure('forced', `Perl subroutine "${name}" returned undef to force failure`)
    case 'failed':
      return failure(result.message)
  }
}
