/** Rewriting rules. Source: Exim manual, "Address rewriting". */
import type { Report } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { RewriteRule } from './configuration.ts'
import { MappedText, MappedBuilder } from './mapped.ts'
import { error } from './settings.ts'
import { readWord } from './words.ts'

/** Envelope and headers, S, then q Q R w. */
const flagLetters = 'EFTbcfhrstSQqRw'

/** Reads a rule line; undefined after a report. */
export function readRewriteRule(line: MappedText, report: Report): RewriteRule | undefined {
  const pattern = readWord(line, 0)
  if (pattern === undefined) return undefined
  const replacement = readWord(line, pattern.next)
  if (replacement === undefined) {
    const help = 'a rule is: pattern, replacement, flags'
    error(report, 'rewrite-incomplete', 'missing rewrite replacement string', line.span(pattern.start), help)
    return undefined
  }
  let flags = ''
  for (let at = replacement.next; at < line.text.length; at++) {
    const flag = line.text.charAt(at)
    if (flag === ' ' || flag === '\t') continue
    if (!flagLetters.includes(flag)) {
      const message = `unknown rewrite flag character '${flag}' (could be missing quotes round replacement item)`
      error(report, 'rewrite-flag', message, line.span(at, at + 1), `flags are ${flagLetters}`)
      return undefined
    }
    if (!flags.includes(flag)) flags += flag
  }
  if (flags.includes('S') && !/^(?:\\N)?\^/.test(pattern.text.text)) {
    const message = 'rewrite rule has the S flag but is not a regular expression'
    error(
      report,
      'rewrite-not-regex',
      message,
      line.span(pattern.start, pattern.start + 1),
      'a pattern for S begins with ^',
    )
    return undefined
  }
  return {
    at: line.span(),
    pattern: new Expandable(pattern.text.text, pattern.text, 'rewrite pattern'),
    replacement: new Expandable(replacement.text.text, replacement.text, 'rewrite replacement'),
    flags,
  }
}

/** Rules within an option (`headers_rewrite`) are parted by colons, doubled for themselves; wrong ones are left out. */
export function rewriteRulesOf(option: Expandable, report: Report): RewriteRule[] {
  const { origin, text } = option
  if (!(origin instanceof MappedText) || text.startsWith('<')) return []
  const rules: RewriteRule[] = []
  for (const item of text.matchAll(/(?:[^:]|::)+/g)) {
    const line = new MappedBuilder()
    let at = item.index
    for (const part of item[0].split('::')) {
      // A colon of the pair stays at the end of each part but the last.
      const end = Math.min(at + part.length + 1, item.index + item[0].length)
      line.append(origin.slice(at, end))
      at += part.length + 2
    }
    const rule = readRewriteRule(line.build().trim(), report)
    if (rule !== undefined) rules.push(rule)
  }
  return rules
}
