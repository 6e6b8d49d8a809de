/** Items of local part lists and of plain string lists. Source: Exim manual, "Local part lists". */
import { textOf, type Text } from '../../base/text.ts'
import { lowered } from './domain.ts'
import { regexItem, signOf } from './item.ts'
import type { CompileOptions, Match, TextSubject } from './list.ts'
import { lookupItem } from './lookup.ts'

/**
 * Compiles one item of a local part list that is not plain; undefined: the index takes it.
 * @param text the item without its exclamation mark
 */
export function localPartItem(text: Text, options: CompileOptions): Match<TextSubject> | undefined {
  const name = textOf(text).slice(1)
  if (signOf(text) === '+') {
    return (subject, run) => run.engine.matchNamed('localpart', name, subject, run)
  }
  return stringItem(text, options)
}

/** An item of a list of strings (`encrypted`, `authenticated`): no named lists. */
export function stringItem(text: Text, options: CompileOptions): Match<TextSubject> | undefined {
  const bytes = textOf(text)
  if (bytes.startsWith('^')) {
    return regexItem(bytes, options.caseful, (subject: TextSubject) => subject.text, {
      captures: true,
      data: text,
    })
  }
  if (signOf(text) === '/' && !options.inFile) {
    return (subject, run) => run.engine.matchFile('localpart', bytes, subject, run, options)
  }
  return lookupItem(text, (subject: TextSubject) => (options.caseful ? subject.text : lowered(subject)), true)
}
