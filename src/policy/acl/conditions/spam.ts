/** Source: Exim manual, "Calling SpamAssassin from an Exim ACL". */
import { textOf } from '../../../base/text.ts'
import { checkSpam } from '../../scanning/spam/check.ts'
import { whenScanned } from '../place.ts'
import { FALSE, type Tested, type TextCondition, TRUE } from '../row.ts'

export const spam: TextCondition = {
  kind: 'condition',
  name: 'spam',
  doc: 'True when the spam scanner calls the message spam.',
  since: '0.1',
  tier: 'B',
  manual: 'Content scanning at ACL time',
  argument: 'text',
  phases: whenScanned,
  async run({ context }, argument): Promise<Tested> {
    const [name = '', ...options] = textOf(argument).split('/')
    const deferOk = options.some((each) => each.trim().toLowerCase() === 'defer_ok')
    const colon = name.indexOf(':')
    const user = (colon < 0 ? name : name.slice(0, colon)).trim()
    // "append :true to the username": the condition is there for its variables.
    const always = colon >= 0 && /^:true\s*$/i.test(name.slice(colon))
    if (/^(?:|0|false)$/i.test(user)) return FALSE
    const facts = await checkSpam(context, user)
    if (facts === undefined) return deferOk ? FALSE : { is: 'defer' }
    return facts.isSpam || always ? TRUE : FALSE
  },
}
