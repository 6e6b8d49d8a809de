/** `verify = arc/pass:none`. Source: RFC 8617 section 5.2; words as in Exim's description of the feature. */
import { arcOf, keepArc } from '../../../mail/arc-facts.ts'
import { checksOf } from '../../msgauth/content-checks.ts'
import { FALSE, type Tested, TRUE } from '../row.ts'
import type { VerifyRow } from './row.ts'

const states = new Set(['none', 'fail', 'pass'])

function wantedStates(options: readonly string[]): string[] {
  if (options.length === 0) return ['pass']
  return options
    .join(':')
    .split(':')
    .map((one) => one.trim().toLowerCase())
}

export const arc: VerifyRow = {
  name: 'arc',
  doc: 'The chain of ARC seals is whole; after a slash the results that will do: pass, none, fail.',
  since: '0.1',
  tier: 'B',
  phases: { only: ['data'] },
  takesAddress: false,
  knownOptions: ['none', 'fail', 'pass'],
  wrongOption(options, text) {
    const strange = wantedStates(options).find((one) => !states.has(one.replace(/^!/, '')))
    if (strange === undefined && options.length < 2) return undefined
    return `unknown result "${strange ?? text}" in ACL condition "verify ${text}"`
  },
  async run({ context }, { options }): Promise<Tested> {
    const wanted = wantedStates(options)
    const { message } = context
    let facts = arcOf(message)
    if (facts === undefined && message !== undefined) {
      facts = await checksOf(message)?.arc(context)
      if (facts !== undefined) keepArc(message, facts)
    }
    const state = facts?.state ?? 'none'
    const why = facts?.reason ?? ''
    context.debug?.('acl', `ARC: ${state}${why === '' ? '' : ` (${why})`}`)
    for (const one of wanted) {
      if (one === state) return TRUE
      if (one.startsWith('!')) return one.slice(1) === state ? FALSE : TRUE
    }
    return FALSE
  },
}
