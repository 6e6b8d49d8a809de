/** `server_condition` and other tests of an authenticator. Source: Exim manual, "Generic options for authenticators". */
import type { Expandable } from '../../base/expandable.ts'
import { isFailure, type Failure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import type { ServerVerdict } from './driver.ts'
import type { AuthValues } from './values.ts'

/** Asks the condition; an unset one is content. */
export async function askCondition(
  condition: Expandable | undefined,
  values: AuthValues,
): Promise<ServerVerdict> {
  if (condition === undefined) return { is: 'ok' }
  const outcome = await values.expand(condition)
  if (isFailure(outcome)) return verdictOfFailure(outcome)
  const text = textOf(outcome)
  if (isNo(text)) return { is: 'fail' }
  if (/^(?:1|yes|true)$/i.test(text)) return { is: 'ok' }
  return { is: 'defer', why: text, told: text }
}

/** A forced failure refuses; any other means to try later, and only the log says why. */
export function verdictOfFailure(failure: Failure): ServerVerdict {
  return failure.kind === 'forced' ? { is: 'fail' } : { is: 'defer', why: failure.message }
}

/** What counts as no in conditions of authenticators. */
export function isNo(text: string): boolean {
  return /^(?:|0|no|false)$/i.test(text)
}
