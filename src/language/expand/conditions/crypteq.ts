import { createHash, timingSafeEqual } from 'node:crypto'
import type { Failure } from '../../../base/outcome.ts'
import { textOf, toBytes } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import { stringCondition } from './kinds.ts'

/** Compares without telling by time where the difference is. */
function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(toBytes(a), toBytes(b))
}

function digestEquals(algorithm: 'md5' | 'sha1', secret: string, coded: string): boolean {
  const digest = createHash(algorithm).update(toBytes(secret)).digest()
  const base64 = digest.toString('base64')
  if (coded.length === base64.length) return same(coded, base64)
  const hex = digest.toString('hex')
  return coded.length === hex.length && same(coded.toLowerCase(), hex)
}

/** Source: Exim manual, "Expansion conditions", crypteq. */
export const crypteq = stringCondition({
  name: 'crypteq',
  doc: 'True when the first string, encrypted, gives the second.',
  since: '0.1',
  manual: 'Expansion conditions',
  count: 2,
  test([secret = '', stored = ''], environment) {
    const match = /^\{([^}]*)(?:\}([\s\S]*))?$/.exec(textOf(stored))
    // A brace that is not closed names no mechanism.
    const closed = match === null || match[2] !== undefined
    const mechanism = match?.[1]?.toLowerCase() ?? 'crypt'
    const coded = match?.[2] ?? textOf(stored)
    if (!closed) return failure(`unknown encryption mechanism in "${textOf(stored)}"`)
    switch (mechanism) {
      case 'md5':
      case 'sha1':
        return digestEquals(mechanism, textOf(secret), coded)
      case 'crypt':
      case 'crypt16': {
        if (coded === '') return false
        if (mechanism === 'crypt16') return failure('{crypt16} is not available on this system')
        const computed = environment.engine.doors.crypt(textOf(secret), coded)
        const compare = (value: Awaited<typeof computed>): boolean | Failure => {
          // A setting that is none equals nothing.
          if (value === undefined) return false
          if (typeof value === 'object') return failure(`{crypt} is not available: ${value.unavailable}`)
          return same(value, coded)
        }
        return computed instanceof Promise ? computed.then(compare) : compare(computed)
      }
      default:
        return failure(`unknown encryption mechanism in "${textOf(stored)}"`)
    }
  },
})
