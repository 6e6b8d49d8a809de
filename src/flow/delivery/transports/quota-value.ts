/** The values of `quota` and `quota_filecount`: `10M`, `1.5G`, `10M/no_check`. Source: Exim manual, appendfile option "quota". */
import { Failure } from '../../../base/outcome.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { Context } from '../../../ports.ts'
import type { ByteString } from '../../../base/text.ts'
import { expandedBytes } from '../expanding.ts'

export interface QuotaValue {
  /** 0: none. */
  readonly most: number
  /** `no_check`: what is full is delivered to all the same. */
  readonly unchecked: boolean
}

export async function expandedQuota(
  option: Expandable | undefined,
  context: Context,
): Promise<QuotaValue | Failure | { readonly malformed: ByteString }> {
  const text = await expandedBytes(option, context)
  if (text instanceof Failure) return text
  if (text === undefined) return { most: 0, unchecked: false }
  return readQuota(text) ?? { malformed: text }
}

/** No number, as where a lookup finds nothing, and a negative one are none. Source: Exim 4.96. */
export function readQuota(text: string): QuotaValue | undefined {
  const found = /^\s*([-+]?\d*\.?\d*)([kmg]?)((?:\/no_check)*)\s*$/i.exec(text)
  if (found === null) return undefined
  const [, number = '', unit = '', modifiers = ''] = found
  const scale = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit.toLowerCase()] ?? 1
  return { most: Math.max(0, Math.trunc(Number(number) * scale) || 0), unchecked: modifiers !== '' }
}
