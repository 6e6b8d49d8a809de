/** The syntax faults of an expansion as diagnostics. */
import type { Diagnostic } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import type { Parsed } from './parse.ts'
import type { Fault } from './tree.ts'

export function diagnosticsOf(text: Expandable, parsed: Parsed): Diagnostic[] {
  const faults = [...parsed.minor, ...(parsed.fault === undefined ? [] : [parsed.fault])]
  return faults.sort((a, b) => a.start - b.start).map((fault) => diagnosticOf(text, fault))
}

function diagnosticOf(text: Expandable, fault: Fault): Diagnostic {
  const end = Math.min(text.text.length, fault.end)
  const start = Math.min(fault.start, Math.max(0, end - 1))
  return {
    code: fault.code,
    severity: 'error',
    message: fault.message,
    help: fault.help,
    at: text.span(start, Math.max(end, start + 1)),
    also: (fault.also ?? []).map((other) => ({ at: text.span(other.start, other.end), says: other.says })),
    fatal: false,
  }
}
