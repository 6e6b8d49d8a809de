/** `server_param1` and its kin, which become `$auth1` and its kin. Source: Exim manual, "The external authenticator", "The tls authenticator". */
import type { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import { verdictOfFailure } from './condition.ts'
import type { ServerVerdict } from './driver.ts'
import type { AuthValues } from './values.ts'

/** Sets the values; gives the verdict when one cannot be expanded. */
export async function expandParameters(
  values: AuthValues,
  parameters: readonly (readonly [number, Expandable | undefined])[],
): Promise<ServerVerdict | undefined> {
  for (const [n, option] of parameters) {
    const text = await values.expandOptional(option)
    if (text === undefined) continue
    if (isFailure(text)) return verdictOfFailure(text)
    values.set(n, textOf(text))
  }
  return undefined
}
