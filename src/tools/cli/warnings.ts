/** What is wrong with a configuration and does not stop the start: told by the daemon and by `-bV`. */
import { renderDiagnostic } from '../../base/diagnostic-frame.ts'
import { encodeUtf8 } from '../../base/text.ts'
import { checkTexts } from '../../server/check-configuration.ts'
import type { ServerCall } from './call.ts'

/** Each with its place, on standard error. */
export function warn({ server, terminal }: ServerCall): void {
  for (const each of [...server.configuration.diagnostics, ...checkTexts(server.configuration)]) {
    terminal.err(`${encodeUtf8(renderDiagnostic({ ...each, severity: 'warning' }))}\n`)
  }
}
