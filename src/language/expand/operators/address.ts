/** Operators on mail addresses. */
import { parseAddressList, splitAddress } from '../../../mail/address.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Environment } from '../environment.ts'
import { failure } from '../environment.ts'
import { quoteItem } from '../evaluate.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

/** The working address in a header's address; empty when it is none. */
function workingAddress(text: string, { context }: Environment): string {
  const parsed = parseAddress(text, { literalsInAngles: context.settings.allow_domain_literals })
  return parsed.is === 'address' ? parsed.address : ''
}

export const addressOperators: readonly OperatorRow[] = [
  textOperator({
    name: 'address',
    doc: 'The working address of an address as headers have it; empty when it is none.',
    since: '0.1',
    manual,
    convert: workingAddress,
  }),
  textOperator({
    name: 'addresses',
    doc: 'The working addresses of a list of addresses as a list; >x at the start sets the separator.',
    since: '0.1',
    manual,
    convert(text, { context }) {
      if (text === '>') return failure('output separator missing in expanding ${addresses:>}')
      const separator = text.startsWith('>') ? text.charAt(1) || ':' : ':'
      const list = text.startsWith('>') ? text.slice(2) : text
      return parseAddressList(list, { literalsInAngles: context.settings.allow_domain_literals })
        .flatMap((one) => ('error' in one || one.address === '' ? [] : [quoteItem(one.address, separator)]))
        .join(separator)
    },
  }),
  textOperator({
    name: 'domain',
    doc: 'The domain of an address; empty when it is none.',
    since: '0.1',
    manual,
    convert: (text, environment) => splitAddress(workingAddress(text, environment)).domain,
  }),
  textOperator({
    name: 'local_part',
    doc: 'The local part of an address; empty when it is none.',
    since: '0.1',
    manual,
    convert: (text, environment) => splitAddress(workingAddress(text, environment)).localPart,
  }),
]
