/** Source: Exim manual, "SPF"; words of 2014 and of today. */
import { textOf } from '../../../base/text.ts'
import { checkSpf } from '../../msgauth/spf/check.ts'
import type { Phases } from '../place.ts'
import { FALSE, type Tested, type TextCondition, TRUE } from '../row.ts'

const phases: Phases = {
  except: [
    'auth',
    'connect',
    'helo',
    'mailauth',
    'etrn',
    'expn',
    'starttls',
    'vrfy',
    'notsmtp',
    'notsmtp_start',
  ],
}

/** What a word of the list stands for among the results; `*` stands for all. */
export const spfWords: Readonly<Record<string, string>> = {
  pass: 'pass',
  fail: 'fail',
  softfail: 'softfail',
  none: 'none',
  neutral: 'neutral',
  permerror: 'permerror',
  temperror: 'temperror',
  invalid: '(invalid)',
  // By their names: the text of 2014 has the two exchanged.
  err_perm: 'permerror',
  err_temp: 'temperror',
  '*': '*',
}

export const spf: TextCondition = spfCondition('spf', 'True when the result of the SPF check is in the list.')
export const spfGuess: TextCondition = spfCondition(
  'spf_guess',
  'True when the result of the SPF check with a guessed record is in the list.',
)

function spfCondition(name: 'spf' | 'spf_guess', doc: string): TextCondition {
  return {
    kind: 'condition',
    name,
    doc,
    since: '0.1',
    tier: 'A',
    manual: 'SPF',
    argument: 'text',
    phases,
    async run({ context }, argument): Promise<Tested> {
      const words = context.ports.splitList(argument).map(textOf)
      const { result } = await checkSpf(context, name)
      context.debug?.('acl', `${name} result is ${result}`)
      return words.some((word) => matches(word, result)) ? TRUE : FALSE
    },
  }
}

/** Each item stands alone: `!fail` succeeds for every other result, wherever it stands. Requirement G5. */
function matches(item: string, result: string): boolean {
  const negated = item.startsWith('!')
  const word = (negated ? item.slice(1).trimStart() : item).toLowerCase()
  const meant = Object.hasOwn(spfWords, word) ? spfWords[word] : undefined
  // A word that is none matches nothing; negated it does, as in Exim.
  const same = meant === '*' || meant === result
  return same !== negated
}
