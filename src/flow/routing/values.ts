/** Expands options of a router and says what their failures mean. */
import type { Expandable } from '../../base/expandable.ts'
import { after, type Awaitable, Failure, isFailure } from '../../base/outcome.ts'
import { type Text, textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { RouterWork } from './types.ts'

/** A deferral because an option could not be expanded. */
export interface ExpansionTrouble {
  readonly is: 'defer'
  readonly message: string
  /** Exim's error number, where it is not -1. */
  readonly errno?: number
}

/** An option's text; undefined: unset or forced to fail; or trouble. */
export function expandOption(
  option: Expandable | undefined,
  work: { readonly context: Context },
  sentence: (text: string) => string = standardSentence,
): Awaitable<Text | undefined | ExpansionTrouble> {
  if (option === undefined) return undefined
  return after(work.context.ports.expand(option, work.context), (value) => {
    if (!isFailure(value)) return value
    return value.kind === 'forced' ? undefined : trouble(option, value, sentence)
  })
}

function standardSentence(text: string): string {
  return `failed to expand "${text}"`
}

/** Exim has its own beginning of the sentence for several options. */
export function trouble(
  option: Expandable,
  failure: Failure,
  sentence: (text: string) => string = standardSentence,
): ExpansionTrouble {
  return { is: 'defer', message: `${sentence(option.text)}: ${failure.message}` }
}

export function isTrouble(value: unknown): value is ExpansionTrouble {
  return typeof value === 'object' && value !== null && 'is' in value && value.is === 'defer'
}

/** `unseen` and `more`: yes, no, true, false, or an empty text for yes. Source: Exim manual, "Expanded booleans". */
export async function expandBoolean(
  option: Expandable,
  name: string,
  whenForced: boolean,
  work: RouterWork,
): Promise<boolean | ExpansionTrouble> {
  const plain = option.text
  if (plain === 'true') return true
  if (plain === 'false') return false
  const value = await expandOption(
    option,
    work,
    () => `failed to expand "${name}" in ${work.router.name} router`,
  )
  if (value === undefined) return whenForced
  if (isTrouble(value)) return value
  const word = textOf(value).toLowerCase()
  if (word === 'true' || word === 'yes') return true
  if (word === 'false' || word === 'no') return false
  return {
    is: 'defer',
    message: `"${textOf(value)}" is not a valid value for the "${name}" option in the ${work.router.name} router`,
  }
}

/** A setting of the router's own driver, read by code that serves all drivers. */
export function privateSetting(router: RouterWork['router'], name: string): unknown {
  const value: unknown = Reflect.get(router.settings, name)
  return value
}
