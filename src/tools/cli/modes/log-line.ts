/** `-z`: an administrator's note in the main log. Source: Exim manual, "-z". */
import { encodeUtf8 } from '../../../base/text.ts'
import type { ServerCall } from '../call.ts'
import { valueOf } from '../parse.ts'

export function run({ invocation, server }: ServerCall): number {
  server.log.main(undefined, encodeUtf8(valueOf(invocation, '-z') ?? ''))
  return 0
}
