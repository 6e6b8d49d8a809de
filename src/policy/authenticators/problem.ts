/** Exim's sentence for an option of a client authenticator that cannot be expanded. */
import type { Failure } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'

export function expansionProblem(text: ByteString, instance: string, failure: Failure): ByteString {
  return `expansion of "${text}" failed in ${instance} authenticator: ${failure.message}`
}
