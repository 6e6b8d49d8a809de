/** `headers_add` of routers and transports: a line without a colon ends the headers of what is sent. */
import type { Report } from '../../../base/diagnostic.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { Check } from './subject.ts'

export const headersAdded: Check = {
  name: 'headers-added',
  doc: 'Header lines that routers and transports add and that have no colon.',
  run({ texts }, report) {
    for (const { owner, text } of texts) {
      if (owner.in !== 'router' && owner.in !== 'transport') continue
      if (owner.option === 'headers_add') judge(text, report)
    }
  },
}

function judge(text: Expandable, report: Report): void {
  let start = 0
  for (const line of text.text.split(/(\n|\\n)/)) {
    const header = line.trim()
    const from = start + line.length - line.trimStart().length
    start += line.length
    if (header.includes(':') || !/^[A-Za-z][\w-]*(?:\s|$)/.test(line)) continue
    // What follows an open brace may be the middle of an expansion.
    if (text.text.slice(0, from).includes('${')) continue
    report({
      code: 'header-colon',
      severity: 'warning',
      message: `no colon stands in this header: it goes out as "${header}", which is no header`,
      at: text.span(from, from + header.length),
      help: `write "${header.replace(/\s|$/, ': ').trimEnd()}"`,
    })
  }
}
