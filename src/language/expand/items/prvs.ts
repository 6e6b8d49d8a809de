/** Signed return paths. Source: Exim manual, "Bounce address tag validation"; draft-levine-smtp-batv. */
import { createHmac } from 'node:crypto'
import { isFailure, type Awaitable, type Failure, type Outcome } from '../../../base/outcome.ts'
import { retaint, textOf, toBytes, type Text } from '../../../base/text.ts'
import { splitAddress } from '../../../mail/address.ts'
import { failure, type Environment } from '../environment.ts'
import type { ItemRow } from '../rows.ts'
import { plainItem } from './kinds.ts'

/** How long a signature counts, in days. */
const validDays = 7

function today(environment: Environment): number {
  return Math.floor(environment.context.ports.now() / 86_400_000)
}

/** Three bytes of an HMAC over key number, day and address. */
function signature(address: string, secret: string, key: string, day: string): string {
  return createHmac('sha1', toBytes(secret))
    .update(toBytes(key + day + address))
    .digest('hex')
    .slice(0, 6)
}

const prvs = plainItem({
  name: 'prvs',
  doc: 'Signs an address for use as return path.',
  since: '0.1',
  manual: 'Expansion items',
  least: 2,
  most: 3,
  apply([address = '', secret = '', keyNumber = '0'], environment) {
    const text = textOf(address)
    const { localPart, domain } = splitAddress(text)
    if (domain === '') return failure('prvs first argument must be a qualified email address')
    const key = textOf(keyNumber) === '' ? '0' : textOf(keyNumber)
    if (!/^\d$/.test(key)) return failure('prvs third argument must be a single digit')
    const day = String((today(environment) + validDays) % 1000).padStart(3, '0')
    return retaint(
      `prvs=${key}${day}${signature(text, textOf(secret), key, day)}=${localPart}@${domain}`,
      address,
    )
  },
})

/** The day number counts modulo 1000; a signature is for a day at most `validDays` ahead. */
function stillValid(day: number, environment: Environment): boolean {
  const ahead = (day - (today(environment) % 1000) + 1000) % 1000
  return ahead <= validDays
}

const prvscheck: ItemRow = {
  name: 'prvscheck',
  doc: 'Checks a signed address: $prvscheck_result is 1 when the signature is good.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    // Exim reads the address by itself, so the two or three arguments are counted as one, and one or two more.
    reader.skipSpace()
    const none = reader.peek() !== '{'
    const address = none ? undefined : reader.braced(reader.position)
    if (!none && address === undefined) return undefined
    const rest = none
      ? reader.argumentsOf('prvscheck', 1, 1, start)
      : reader.argumentsOf('prvscheck', 1, 2, start)
    return rest && address && { arguments: [address, ...rest] }
  },
  compile(parts, compiler) {
    const [first, second, third] = parts.arguments.map((one) => compiler.template(one))
    const finish = (value: Outcome, decoded: Text, environment: Environment): Outcome => {
      const { variables } = environment.context
      variables.delete('prvscheck_address')
      variables.delete('prvscheck_keynum')
      return isFailure(value) || textOf(value) !== '' ? value : decoded
    }
    const check = (address: Text | Failure, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(address)) return address
      const match = /^prvs=(\d)(\d{3})([0-9a-f]{6})=([\s\S]*)@([\s\S]*)$/i.exec(textOf(address))
      if (match === null) return ''
      const [, key = '', day = '', sent = '', localPart = '', domain = ''] = match
      const plain = `${localPart}@${domain}`
      const { variables } = environment.context
      variables.set('prvscheck_address', retaint(plain, address))
      variables.set('prvscheck_keynum', key)
      const judge = (secret: Outcome): Awaitable<Outcome> => {
        if (isFailure(secret)) return secret
        const good = signature(plain, textOf(secret), key, day) === sent.toLowerCase()
        variables.set('prvscheck_result', good && stillValid(Number(day), environment) ? '1' : '')
        const value = third?.(environment) ?? ''
        const decoded = retaint(plain, address)
        return value instanceof Promise
          ? value.then((settled) => finish(settled, decoded, environment))
          : finish(value, decoded, environment)
      }
      const secret = second?.(environment) ?? ''
      return secret instanceof Promise ? secret.then(judge) : judge(secret)
    }
    return (environment) => {
      const address = first?.(environment) ?? ''
      return address instanceof Promise
        ? address.then((settled) => check(settled, environment))
        : check(address, environment)
    }
  },
}

export const prvsItems: readonly ItemRow[] = [prvs, prvscheck]
