/** The plaintext authenticator: PLAIN, LOGIN and whatever asks for texts. Source: Exim manual, "The plaintext authenticator". */
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, textOf } from '../../base/text.ts'
import { Expandable } from '../../base/expandable.ts'
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import { askCondition } from './condition.ts'
import type {
  AuthenticatorDriver,
  ClientDialogue,
  ClientVerdict,
  ServerDialogue,
  ServerVerdict,
} from './driver.ts'
import { expansionProblem } from './problem.ts'
import { plaintextOptions, type PlaintextSettings } from './plaintext.options.ts'

export const plaintext: AuthenticatorDriver = {
  name: 'plaintext',
  doc: 'Takes texts from the client and lets server_condition judge them: PLAIN and LOGIN.',
  options: plaintextOptions,
  check: () => undefined,
  isServer: ({ settings }) => settings.server_condition !== undefined,
  isClient: (instance) => settingsOf(instance).client_send !== undefined,
  serve,
  call,
}

/** The driver of the instance is plaintext, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): AuthenticatorInstance<PlaintextSettings>['settings'] {
  return (instance as AuthenticatorInstance<PlaintextSettings>).settings
}

async function serve({ instance, values, initial, ask }: ServerDialogue): Promise<ServerVerdict> {
  const settings = settingsOf(instance)
  const list = await values.expandOptional(settings.server_prompts)
  if (isFailure(list)) return { is: 'defer', why: list.message }
  const prompts = list === undefined ? [] : values.context.ports.splitList(list).map(textOf)
  const take = (data: ByteString): void => {
    for (const part of data.split('\0')) values.add(part)
  }
  if (initial !== undefined) take(initial)
  // One prompt is left out for each text that came with the command.
  for (const prompt of prompts.slice(values.count)) {
    const answer = await ask(prompt)
    if (answer.is !== 'data') return answer
    take(answer.data)
  }
  return askCondition(settings.server_condition, values)
}

async function call(dialogue: ClientDialogue): Promise<ClientVerdict> {
  const { instance, values } = dialogue
  const settings = settingsOf(instance)
  const { client_send } = settings
  if (client_send === undefined) return { is: 'declined' }
  const texts = splitUnexpanded(client_send)
  for (const [i, text] of texts.entries()) {
    const expanded = await values.expand(text)
    if (isFailure(expanded)) {
      if (i > 0) await dialogue.cancel()
      if (expanded.kind === 'forced') return { is: 'declined' }
      return { is: 'failure', message: expansionProblem(text.text, instance.name, expanded) }
    }
    const data = withNuls(textOf(expanded))
    const reply = i === 0 ? await dialogue.begin(data === '' ? undefined : data) : await dialogue.answer(data)
    if (reply.is !== 'challenge') return reply
    if (i === texts.length - 1) return { is: 'ended' }
    if (reply.data === undefined && !settings.client_ignore_invalid_base64) {
      await dialogue.cancel()
      return { is: 'cancelled', why: `Invalid base64 string in server response "${reply.text}"` }
    }
    if (i < 3) values.set(i + 1, reply.data ?? '')
  }
  return { is: 'ended' }
}

/** Splitting comes before expansion; a doubled separator stands for itself. */
function splitUnexpanded(list: Expandable): Expandable[] {
  const separator = /^\s*<([^\s\w])/.exec(list.text)?.[1] ?? ':'
  let at = separator === ':' && !/^\s*<:/.test(list.text) ? 0 : list.text.indexOf(separator) + 1
  const items: Expandable[] = []
  let item = ''
  let start = at
  for (; at <= list.text.length; at++) {
    const char = list.text[at]
    if (char !== undefined && char !== separator) item += char
    else if (char === separator && list.text[at + 1] === separator) {
      item += char
      at++
    } else {
      items.push(new Expandable(item.trim(), placedAt(list, start, item), list.name))
      item = ''
      start = at + 1
    }
  }
  return items
}

/** Where an item stands in the file. */
function placedAt(list: Expandable, start: number, item: string): Expandable['origin'] {
  const first = start + (item.length - item.trimStart().length)
  return { locate: (from, to) => list.origin.locate(first + from, first + to) }
}

/** A circumflex stands for NUL, two for one circumflex. */
function withNuls(text: ByteString): ByteString {
  return text.replace(/\^\^?/g, (found) => (found === '^' ? '\0' : '^'))
}
