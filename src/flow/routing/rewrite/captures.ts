/** `$0`, `$1` ... after a rewriting pattern has matched. Source: Exim manual, "Rewriting patterns". */
import { compileRegex } from '../../../base/regex.ts'
import { type ByteString, taint, type Text } from '../../../base/text.ts'
import { splitAddress } from '../../../mail/address.ts'

/** @param pattern the pattern after expansion, known to match */
export function capturesOf(pattern: ByteString, address: ByteString): (Text | undefined)[] {
  const mark = (text: ByteString | undefined): Text | undefined =>
    text === undefined ? undefined : taint(text, 'rewritten address')
  return partsOf(pattern.trim(), address).map(mark)
}

function partsOf(pattern: ByteString, address: ByteString): readonly (ByteString | undefined)[] {
  if (pattern.startsWith('^')) {
    const regex = compileRegex(pattern, { caseless: false })
    const found = 'error' in regex ? undefined : regex.match(address)
    // $0 is the whole address, whatever part of it the expression matched.
    return found === undefined || 'error' in found ? [address] : [address, ...found.slice(1)]
  }
  const parts: ByteString[] = [address]
  const { localPart, domain } = splitAddress(address)
  const at = pattern.lastIndexOf('@')
  const local = at < 0 ? '*' : pattern.slice(0, at)
  const rest = pattern.slice(at + 1)
  if (at >= 0 && local.startsWith('*')) parts.push(localPart.slice(0, localPart.length - local.length + 1))
  if (rest.startsWith('*')) parts.push(domain.slice(0, domain.length - rest.length + 1))
  return parts
}
