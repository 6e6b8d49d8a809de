/** Runs an Exim filter. Source: Exim manual, "Exim filter files", "System-wide message filtering". */
import { isFailure } from '../../../../base/outcome.ts'
import { type ByteString, concat, textOf } from '../../../../base/text.ts'
import { headerHasName, splitHeaders } from '../../../../mail/header.ts'
import type { Header } from '../../../../mail/envelope.ts'
import { parseAddress } from '../../../../mail/parse-address.ts'
import type { MessageFacts } from '../../../../ports.ts'
import { deliveryLimit, type FilterDelivery, type FilterResult, type FilterWorld, shown } from '../result.ts'
import { holds } from './conditions.ts'
import { mailReply, showMail } from './mail.ts'
import { parseFilter, type FilterRights } from './parse.ts'
import { wholeAddress } from './personal.ts'
import { FilterState, FilterTrouble } from './state.ts'
import type { Command } from './tree.ts'

export async function runEximFilter(
  text: ByteString,
  rights: FilterRights,
  world: FilterWorld,
): Promise<FilterResult> {
  const parsed = parseFilter(text, rights)
  if (parsed.is === 'error') return parsed
  const state = new FilterState(world)
  try {
    const end = await obey(parsed.commands, state)
    const { deliveries, counters, significant } = state
    const headers = state.context.message?.headers
    const changed = headers === world.context.message?.headers ? undefined : headers
    if (end === undefined || end === 'finish') {
      return { is: 'done', significant, deliveries, counters, headers: changed }
    }
    return { is: end.is, text: end.text, deliveries, counters, headers: changed }
  } catch (error) {
    if (error instanceof FilterTrouble) return { is: 'error', message: error.message }
    throw error
  }
}

/** What ends a filter before its last command. */
type End = 'finish' | { readonly is: 'defer' | 'fail' | 'freeze'; readonly text: ByteString }

async function obey(commands: readonly Command[], state: FilterState): Promise<End | undefined> {
  for (const command of commands) {
    await state.step()
    const end = command.is === 'if' ? await obeyIf(command, state) : await obeyOne(command, state)
    if (end !== undefined) return end
  }
  return undefined
}

async function obeyIf(
  command: Command & { readonly is: 'if' },
  state: FilterState,
): Promise<End | undefined> {
  const before = state.thisAddress
  const truth = await holds(command.condition, state, true)
  state.depth++
  const end = await obey(truth ? command.whenTrue : command.otherwise, state)
  state.depth--
  state.thisAddress = before
  return end
}

type Plain = Exclude<Command, { readonly is: 'if' }>

async function obeyOne(command: Plain, state: FilterState): Promise<End | undefined> {
  state.line = command.line
  switch (command.is) {
    case 'add':
      await add(command, state)
      return undefined
    case 'deliver':
    case 'save':
    case 'pipe':
      await setUp(command, state)
      return undefined
    case 'mail':
      await mail(command, state)
      return undefined
    case 'logfile':
    case 'logwrite':
      await log(command, state)
      if (command.seen) state.significant = true
      return undefined
    case 'testprint': {
      if (command.seen) state.significant = true
      const text = textOf(await state.expand(command.text, 'testprint command'))
      state.out(`Testprint: ${shown(text)}`)
      return undefined
    }
    case 'headers':
      await changeHeaders(command, state)
      return undefined
    case 'finish':
      state.out(command.seen ? 'Seen finish' : 'Finish')
      if (command.seen) state.significant = true
      return 'finish'
    case 'defer':
    case 'fail':
    case 'freeze': {
      const text = textOf(await state.expand(command.text, `${command.is} command`))
      state.out(`${command.is.charAt(0).toUpperCase()}${command.is.slice(1)} text "${shown(text)}"`)
      // Thawed by hand: somebody has looked at it.
      if (command.is === 'freeze' && state.context.message?.manuallyThawed === true) return undefined
      return { is: command.is, text }
    }
  }
}

async function add(command: Plain & { readonly is: 'add' }, state: FilterState): Promise<void> {
  const amount = textOf(await state.expand(command.amount, 'add command'))
  const variable = textOf(await state.expand(command.variable, 'add command'))
  const number = /^\s*[+-]?\d{1,10}$/.test(amount) ? Number(amount) : undefined
  if (number === undefined) throw new FilterTrouble(`malformed number "${amount}" in "add" command`)
  const index = /^n(\d)$/.exec(variable)?.[1]
  if (index === undefined) throw new FilterTrouble(`unknown variable "${variable}" in "add" command`)
  // The counters of a 32-bit int.
  state.counters[Number(index)] = ((state.counters[Number(index)] ?? 0) + number) | 0
  state.out(`Add ${number} to n${index}`)
}

/** `deliver`, `save`, `pipe`: nothing is delivered yet. */
async function setUp(
  command: Plain & { readonly is: 'deliver' | 'save' | 'pipe' },
  state: FilterState,
): Promise<void> {
  const noError = command.noError
  const said = command.seen ? '' : 'Unseen '
  const ends = noError ? ' (noerror)' : ''
  if (command.seen) state.significant = true
  const first = (verb: string): string => (said === '' ? verb : `${said}${verb.toLowerCase()}`)
  switch (command.is) {
    case 'deliver': {
      const address = qualified(textOf(await state.expand(command.address, 'deliver command')), state)
      const errorsTo = await errorsToOf(command.errorsTo, state)
      const told = errorsTo === undefined ? '' : ` errors_to ${errorsTo}`
      state.out(`${first('Deliver message')} to: ${address}${told}${ends}`)
      keep({ is: 'address', address, errorsTo, noError }, state)
      return
    }
    case 'save': {
      const path = await state.expand(command.path, 'save command')
      const mode = command.mode === undefined ? '' : ` 0${command.mode.toString(8).padStart(3, '0')}`
      state.out(`${first('Save message')} to: ${shown(textOf(path))}${mode}${ends}`)
      const { home } = state.context.address ?? {}
      const relative = !textOf(path).startsWith('/') && state.world.prependHome && textOf(home ?? '') !== ''
      const whole = relative ? concat([home ?? '', '/', path]) : path
      keep({ is: 'file', path: whole, mode: command.mode, noError }, state)
      return
    }
    case 'pipe': {
      state.out(`${first('Pipe message')} to: ${shown(command.command)}${ends}`)
      keep({ is: 'pipe', command: command.command, scope: state.scope(), noError }, state)
      return
    }
  }
}

function keep(delivery: FilterDelivery, state: FilterState): void {
  if (state.deliveries.length >= deliveryLimit) throw new FilterTrouble('too many deliveries were set up')
  state.deliveries.push(delivery)
}

function qualified(text: ByteString, state: FilterState): ByteString {
  const { context, qualifyDomain } = state.world
  const parsed = parseAddress(text, { allowUtf8Domains: context.settings.allow_utf8_domains })
  if (parsed.is === 'error') {
    throw new FilterTrouble(`malformed address "${text}" in filter file: ${parsed.message}`)
  }
  return parsed.domain === '' ? `${parsed.address}@${qualifyDomain}` : parsed.address
}

/** A user may only have reports sent to themself. Source: Exim manual, "The deliver command". */
async function errorsToOf(text: ByteString | undefined, state: FilterState): Promise<ByteString | undefined> {
  if (text === undefined) return undefined
  const refused = "errors_to must point to the caller's address"
  const given = textOf(await state.expand(text, 'deliver command'))
  if (given === '<>' && !state.world.system) throw new FilterTrouble(refused)
  const address = qualified(given, state)
  if (state.world.system) return address
  const facts = state.context.address
  const own = facts === undefined ? [] : [`${facts.localPart}@${facts.domain}`, wholeAddress(facts)]
  if (own.some((one) => one.toLowerCase() === address.toLowerCase())) return address
  throw new FilterTrouble(refused)
}

async function mail(command: Plain & { readonly is: 'mail' }, state: FilterState): Promise<void> {
  const refused = state.world.forbidden('reply')
  if (refused !== undefined) throw new FilterTrouble(refused)
  const reply = await mailReply(command, state)
  if (reply === undefined) {
    if (state.world.tester === undefined || isBounce(state)) return
    await showMail(command, command, state)
  } else keep({ is: 'reply', reply, noError: command.noError }, state)
  if (command.seen) state.significant = true
}

function isBounce({ context }: FilterState): boolean {
  return textOf(context.delivery?.returnPath ?? context.message?.sender ?? '') === ''
}

async function log(
  command: Plain & { readonly is: 'logfile' | 'logwrite' },
  state: FilterState,
): Promise<void> {
  const { world } = state
  if (command.is === 'logfile') {
    const path = await state.expand(command.path, 'logfile command')
    state.out(`${command.seen ? 'Seen logfile' : 'Logfile'} ${shown(textOf(path))}`)
    state.logFile = { path, mode: command.mode ?? 0o600 }
    return
  }
  const text = textOf(await state.expand(command.text, 'logwrite command'))
  state.out(`${command.seen ? 'Seen logwrite' : 'Logwrite'} "${shown(text)}"`)
  if (world.tester !== undefined) return
  const refused = world.forbidden('logwrite')
  if (refused !== undefined) throw new FilterTrouble(refused)
  if (state.logFile === undefined) {
    throw new FilterTrouble('attempt to obey "logwrite" command without a previous "logfile"')
  }
  const { path: file, mode } = state.logFile
  const line = text.endsWith('\n') && text.slice(0, -1).endsWith('\n') ? text.slice(0, -1) : text
  const problem = await world.note({ file, mode, text: line })
  if (problem !== undefined) throw new FilterTrouble(problem)
}

async function changeHeaders(command: Plain & { readonly is: 'headers' }, state: FilterState): Promise<void> {
  const { context } = state
  const expanded = await context.ports.expandText(command.text, context)
  if (isFailure(expanded)) {
    // Forced to fail: nothing is changed.
    if (expanded.kind === 'forced') return
    throw new FilterTrouble(
      `failed to expand "${command.text}" in headers ${command.action} command: ${expanded.message}`,
    )
  }
  const text = textOf(expanded).trimStart()
  state.out(`Headers ${command.action} "${shown(text)}"`)
  if (text === '') return
  if (command.action === 'charset') {
    state.changeContext({ settings: { ...context.settings, headers_charset: text } })
    return
  }
  const { message } = context
  if (message === undefined) return
  const headers =
    command.action === 'add'
      ? [...message.headers, ...splitHeaders(text.endsWith('\n') ? text : `${text}\n`)]
      : without(message.headers, text.split(':'))
  state.changeContext({ message: withHeaders(message, headers) })
}

/** The facts of a message read its body when they are asked: they are kept, not copied. */
function withHeaders(message: MessageFacts, headers: readonly Header[]): MessageFacts {
  const changed: MessageFacts = Object.create(message, { headers: { value: headers, writable: true } })
  return changed
}

function without(headers: readonly Header[], names: readonly string[]): Header[] {
  const unwanted = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')
  return headers.map((header) =>
    header.type !== '*' && unwanted.some((name) => headerHasName(header, name))
      ? { ...header, type: '*' }
      : header,
  )
}
