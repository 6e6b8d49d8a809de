/** `${fn{name}{argument}...}`: functions of our own in place of Exim's `${perl` and `${dlfunc`. Not in Exim. */
import { Failure, type Awaitable, type Outcome } from '../../../base/outcome.ts'
import { encodeUtf8, isTainted, taint, textOf, type Text } from '../../../base/text.ts'
import type { FunctionResult } from '../doors/doors.ts'
import { failure, refuseTainted, type Environment } from '../environment.ts'
import { plainItem } from './kinds.ts'

/** As for ${perl}: the name and eight arguments. */
const mostArguments = 9
/** Longest answer, in bytes. */
const longestAnswer = 1024 * 1024

export const fn = plainItem({
  name: 'fn',
  doc: 'Calls a function of the module that functions_file names.',
  since: '0.1',
  manual: 'Expansion items',
  least: 1,
  most: mostArguments,
  apply([name = '', ...values], environment): Awaitable<Outcome> {
    const refused = refuseTainted(name, 'function')
    if (refused !== undefined) return refused
    const file = environment.context.settings.functions_file
    if (file === undefined) return failure('${fn needs the main option functions_file')
    const word = textOf(name)
    const unsafe = unsafeFile(file, environment)
    if (unsafe !== undefined) return failure(`\${fn{${word}}: ${unsafe}`)
    return environment.engine.doors
      .callFunction({ file, name: word, values: values.map(valueOf) })
      .then((result) => conclude(word, result))
  },
})

function valueOf(text: Text) {
  return {
    text: textOf(text),
    origin: isTainted(text) ? (text.spans[0]?.origin ?? 'outside data') : undefined,
  }
}

/** Code that others may write is not run. */
function unsafeFile(file: string, { context }: Environment): string | undefined {
  const stat = context.ports.files.stat(file)
  if ('error' in stat) return `cannot read ${file}: ${stat.error}`
  if (!file.startsWith('/') || stat.kind !== 'file') return `functions_file must be the full path of a file`
  return (stat.mode & 0o002) === 0 ? undefined : `${file} may be written by everybody`
}

function conclude(name: string, result: FunctionResult): Outcome {
  switch (result.is) {
    case 'value':
      if (result.text.length > longestAnswer) return failure(`\${fn{${name}}: its answer is too long`)
      return result.trusted ? result.text : taint(result.text, `\${fn{${name}}`)
    case 'nothing':
      // As `undef` of a Perl function does.
      return new Failure('forced', `\${fn{${name}} gave nothing, which stands for "fail"`)
    case 'failed':
      return failure(`\${fn{${name}}: ${encodeUtf8(result.message).slice(0, 1000)}`)
  }
}
