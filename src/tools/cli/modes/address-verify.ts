/** `-bv`, `-bvs`: verifies addresses. Source: Exim manual, "-bv". */
import type { ServerCall } from '../call.ts'
import { has } from '../parse.ts'
import { testAddresses } from './address-test.ts'

export function run(call: ServerCall): Promise<number> {
  return testAddresses(call, has(call.invocation, '-bvs') ? 'bvs' : 'bv')
}
