/** What exipick can ask of a message of the queue. */
import { compileRegex } from '../../../base/regex.ts'
import { parseInterval } from '../../../base/interval.ts'
import type { QueueEntry } from '../../../store/spool/api.ts'
import { sizeOf } from '../queue-listing.ts'

type Value = string | number | boolean
type Variable = (entry: QueueEntry, now: number) => Value

/** Names as exipick has them; all of it stands in the index of the queue. */
export const variables: Readonly<Record<string, Variable>> = {
  deliver_freeze: ({ frozen }) => frozen,
  deliver_frozen_at: ({ frozenAt }) => Math.floor((frozenAt ?? 0) / 1000),
  first_delivery: ({ firstDelivery }) => firstDelivery,
  local_scan_data: () => '',
  message_age: ({ receivedAt }, now) => Math.floor((now - receivedAt) / 1000),
  message_exim_id: ({ id }) => id,
  message_id: ({ id }) => id,
  message_size: ({ size }) => size,
  queue_name: ({ queueName }) => queueName,
  received_time: ({ receivedAt }) => Math.floor(receivedAt / 1000),
  recipients: ({ recipients }) => recipients.map(({ address }) => address).join(', '),
  recipients_count: ({ recipients }) => recipients.length,
  recipients_del: ({ recipients }) => listed(recipients.filter(({ done }) => done)),
  recipients_del_count: ({ recipients }) => recipients.filter(({ done }) => done).length,
  recipients_undel: ({ recipients }) => listed(recipients.filter(({ done }) => !done)),
  recipients_undel_count: ({ recipients }) => recipients.filter(({ done }) => !done).length,
  sender_address: ({ sender }) => sender,
  sender_address_bracketed: ({ sender }) => `<${sender}>`,
  sender_address_domain: ({ sender }) => sender.slice(sender.lastIndexOf('@') + 1),
  sender_address_local_part: ({ sender }) => sender.slice(0, Math.max(0, sender.lastIndexOf('@'))),
  shown_message_size: ({ size }) => sizeOf(size).trim(),
}

function listed(recipients: QueueEntry['recipients']): string {
  return recipients.map(({ address }) => address).join(', ')
}

export interface Criterion {
  holds(entry: QueueEntry, now: number): boolean
}

export function readCriterion(text: string, caseful: boolean): Criterion | { readonly wrong: string } {
  const parts = /^\s*(!?)\s*\$(\w+)(?:\s*(==|!=|<=|>=|<|>|=~|!~|eq\b|ne\b|=)\s*(.*?))?\s*$/s.exec(text)
  const [, not, name = '', operator, operand = ''] = parts ?? []
  const variable = variables[name]
  if (parts === null) return { wrong: `criterion "${text}" is not understood` }
  if (variable === undefined) return { wrong: `no variable $${name}` }
  const wanted = not === ''
  if (operator === undefined) return { holds: (entry, now) => isTrue(variable(entry, now)) === wanted }
  const compare = comparison(operator, operand, caseful)
  if ('wrong' in compare) return compare
  return { holds: (entry, now) => compare.holds(variable(entry, now)) === wanted }
}

function isTrue(value: Value): boolean {
  return value !== '' && value !== 0 && value !== false
}

function comparison(
  operator: string,
  operand: string,
  caseful: boolean,
): { holds(value: Value): boolean } | { readonly wrong: string } {
  const plain = operand.replace(/^(['"])(.*)\1$/s, '$2')
  if (operator === '=~' || operator === '!~') {
    const pattern = compileRegex(plain.replace(/^\/(.*)\/$/s, '$1'), { caseless: !caseful })
    if ('error' in pattern) return { wrong: `"${plain}" is not a regular expression` }
    return {
      holds(value) {
        const match = pattern.match(String(value))
        return (match !== undefined && !('error' in match)) === (operator === '=~')
      },
    }
  }
  const fold = (value: Value): string => (caseful ? String(value) : String(value).toLowerCase())
  if (operator === 'eq') return { holds: (value) => String(value) === plain }
  if (operator === 'ne') return { holds: (value) => String(value) !== plain }
  if (operator === '=') return { holds: (value) => fold(value).includes(fold(plain)) }
  const number = numberOf(plain)
  if (number === undefined) return { wrong: `"${plain}" is not a number` }
  return { holds: (value) => ordered(Number(value), number, operator) }
}

function ordered(a: number, b: number, operator: string): boolean {
  switch (operator) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}

/** `10`, `10K`, `2h`. */
function numberOf(text: string): number | undefined {
  const size = /^(\d+)([KMG]?)$/i.exec(text)
  if (size !== null)
    return Number(size[1]) * 1024 ** ({ '': 0, K: 1, M: 2, G: 3 }[(size[2] ?? '').toUpperCase()] ?? 0)
  return parseInterval(text)
}
