/** Tests the conditions of a filter. Source: Exim manual, "String testing conditions" and the sections after it. */
import { compileRegex } from '../../../../base/regex.ts'
import { type ByteString, isTainted, taint, textOf, type Text } from '../../../../base/text.ts'
import { parseAddressList } from '../../../../mail/address.ts'
import { shown } from '../result.ts'
import { isPersonal } from './personal.ts'
import { type FilterState, FilterTrouble } from './state.ts'
import { showCondition } from './show-condition.ts'
import type { Condition } from './tree.ts'

/** @param top it is the whole condition of an `if` */
export async function holds(condition: Condition, state: FilterState, top: boolean): Promise<boolean> {
  const truth = await test(condition, state)
  state.explain(
    `${top ? 'Condition' : 'Sub-condition'} is ${truth ? 'true' : 'false'}: ${showCondition(condition, true)} `,
  )
  return truth
}

async function test(condition: Condition, state: FilterState): Promise<boolean> {
  await state.step()
  switch (condition.is) {
    case 'and':
      return (await holds(condition.left, state, false)) && (await holds(condition.right, state, false))
    case 'or':
      return (await holds(condition.left, state, false)) || (await holds(condition.right, state, false))
    case 'not':
      return !(await test(condition.inner, state))
    case 'string':
      return (await testString(condition, state)) !== condition.negated
    case 'number': {
      const left = numberOf(textOf(await state.expand(condition.left)))
      const right = numberOf(textOf(await state.expand(condition.right)))
      return (condition.test === 'above' ? left > right : left < right) !== condition.negated
    }
    case 'fact':
      return factOf(condition.fact, state) !== condition.negated
    case 'personal': {
      const aliases: ByteString[] = []
      for (const alias of condition.aliases) aliases.push(textOf(await state.expand(alias)))
      return (await isPersonal(aliases, state.world)) !== condition.negated
    }
    case 'foranyaddress':
      return (await anyAddress(condition, state)) !== condition.negated
  }
}

function factOf(
  fact: 'delivered' | 'error_message' | 'first_delivery' | 'manually_thawed',
  state: FilterState,
): boolean {
  const { message } = state.world.context
  switch (fact) {
    case 'delivered':
      return state.significant
    case 'error_message':
      return (message?.sender ?? '') === ''
    case 'first_delivery':
      return message?.firstDelivery ?? true
    case 'manually_thawed':
      return message?.manuallyThawed ?? false
  }
}

async function testString(
  { left: leftText, right: rightText, test: kind, caseful }: Condition & { readonly is: 'string' },
  state: FilterState,
): Promise<boolean> {
  const left = await state.expand(leftText)
  const right = await state.expand(rightText)
  if (kind === 'matches') return matches(left, right, caseful, state)
  const subject = caseful ? textOf(left) : textOf(left).toLowerCase()
  const wanted = caseful ? textOf(right) : textOf(right).toLowerCase()
  switch (kind) {
    case 'begins':
      return subject.startsWith(wanted)
    case 'contains':
      // Exim finds no empty text where case does not matter.
      return (caseful || wanted !== '') && subject.includes(wanted)
    case 'ends':
      return subject.endsWith(wanted)
    case 'is':
      return subject === wanted
  }
}

/** The groups of a match stay for all that follows. */
function matches(subject: Text, pattern: Text, caseful: boolean, state: FilterState): boolean {
  state.explain('Match expanded arguments:')
  state.explain(`  Subject = ${shown(textOf(subject))}`)
  state.explain(`  Pattern = ${shown(textOf(pattern))}`)
  const regex = compileRegex(textOf(pattern), { caseless: !caseful })
  if ('error' in regex) {
    throw new FilterTrouble(
      `error while compiling regular expression "${textOf(pattern)}": ${regex.error} at offset ${regex.at}`,
    )
  }
  const found = regex.match(textOf(subject))
  if (found === undefined) return false
  if ('error' in found) throw new FilterTrouble(`regular expression "${textOf(pattern)}": ${found.error}`)
  const origin = isTainted(subject) ? (subject.spans[0]?.origin ?? 'match') : undefined
  state.captures = found.map((group) =>
    group === undefined || origin === undefined ? group : taint(group, origin),
  )
  return true
}

/** `10k`, `2M`. */
function numberOf(text: ByteString): number {
  const match = /^\s*([+-]?\d+)([kKmM]?)\s*$/.exec(text)
  if (match === null) throw new FilterTrouble(`malformed numerical string "${text}"`)
  const unit = (match[2] ?? '').toLowerCase()
  return Number(match[1]) * (unit === 'k' ? 1024 : unit === 'm' ? 1024 * 1024 : 1)
}

/** `$thisaddress` keeps its last value when the condition holds. */
async function anyAddress(
  condition: Condition & { readonly is: 'foranyaddress' },
  state: FilterState,
): Promise<boolean> {
  const list = textOf(await state.expand(condition.list))
  const before = state.thisAddress
  for (const one of parseAddressList(list)) {
    if (!('address' in one)) continue
    state.thisAddress = taint(one.address, '$thisaddress')
    state.explain(`Extracted address ${one.address}`)
    if (await holds(condition.inner, state, false)) return true
  }
  state.thisAddress = before
  return false
}
