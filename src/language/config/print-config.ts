/** The normalised listing of `-bP config`. The form was observed on Exim 4.96. */
import type { Configuration } from './configuration.ts'
import { notDisplayable } from './print-values.ts'

/** Headings of instances and ACLs stand at two columns, what belongs to them at four. */
export function configText(
  configuration: Configuration,
  { admin, nameless, version }: { admin: boolean; nameless?: boolean; version: string },
): string[] {
  const lines = [`# Exim Configuration (${version})`]
  let indent = ''
  for (const { text, hide } of configuration.normalizedLines) {
    const shown = shownLine(text, hide, admin)
    if (nameless === true || text.startsWith('# ')) {
      lines.push(shown)
    } else if (/^begin /i.test(text)) {
      indent = '  '
      lines.push('', shown)
    } else if (indent !== '' && /^\w+[ \t]*:$/.test(text)) {
      indent = '    '
      lines.push('', `  ${shown}`)
    } else {
      lines.push(indent + shown)
    }
  }
  return lines
}

/** Runs of white space outside double quotes become one space; values of `hide` and of macros only for an admin. */
function shownLine(text: string, hide: boolean, admin: boolean): string {
  const line = text.replace(/"(?:\\[^]|[^"\\])*"|[ \t]+/g, (part) => (part.startsWith('"') ? part : ' '))
  if (admin || !(hide || /^[A-Z]\w* ?=/.test(line))) return line
  const equals = line.indexOf('=')
  return equals === -1 ? line : `${line.slice(0, equals + 1).trimEnd()} ${notDisplayable}`
}
