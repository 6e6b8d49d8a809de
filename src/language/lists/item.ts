/** Forms of items that several kinds of list share: plain text, `*suffix`, `^regex`, `+name`, file, lookup. */
import { textOf, type Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { ItemResult, Match, Run, Subject } from './list.ts'
import { compilePattern } from './pattern.ts'

/** A text as the subject of a regular expression that sets `$0` to `$9`. */
export function regexItem<S extends Subject>(
  source: string,
  caseful: boolean,
  textFor: (subject: S) => Text,
  options: { readonly captures: boolean; readonly data: Text | undefined },
): Match<S> {
  const pattern = compilePattern(source, caseful)
  if ('error' in pattern) return failing(pattern.error)
  return (subject, run) => {
    const text = textFor(subject)
    const captures = pattern.match(text)
    if (captures === undefined) return undefined
    if ('error' in captures) return tooMuch(source, captures.error, run)
    // $0 is the whole subject, although the manual says what matched: observed of Exim 4.96.
    if (options.captures) setCaptures(run.context, [text, ...captures.slice(1)])
    return { is: 'match', data: options.data }
  }
}

/** A pattern that ran away counts as no match, so that no client can hold up the server with it. */
export function tooMuch(source: string, error: string, run: Run): undefined {
  run.context.ports.log.panic(run.context.message?.id, `regular expression ${source}: ${error}`)
  return undefined
}

/** An item that cannot be used; a mistake in the configuration, which the log tells each time, as with Exim. */
export function failing<S>(message: string): Match<S> {
  const result: ItemResult = { is: 'failure', message }
  return (_subject, run) => {
    run.context.ports.log.panic(run.context.message?.id, message)
    return result
  }
}

/** Gives `$0`, `$1` and so on their new values; the array belongs to the scope, so it is changed in place. */
export function setCaptures(context: Context, captures: readonly (Text | undefined)[]): void {
  context.captures.length = 0
  for (const capture of captures) context.captures.push(capture)
}

/** The first byte of an item, when it is the configuration's own: signs from outside are not obeyed. */
export function signOf(text: Text): string {
  if (typeof text === 'string') return text.charAt(0)
  const first = text.spans[0]
  return first !== undefined && first.start === 0 ? '' : textOf(text).charAt(0)
}
