/**
 * What is settled when a router takes an address, in Exim's order: errors_to, headers_add, headers_remove, transport,
 * then the user and group. Source: Exim manual, "Generic options for routers".
 */
import { type Expandable, expandedTexts } from '../../base/expandable.ts'
import { type Awaitable, isFailure } from '../../base/outcome.ts'
import { type ByteString, type Text, textOf, unquotedTaint } from '../../base/text.ts'
import type { TransportInstance } from '../../language/config/configuration.ts'
import type { RouterWork } from './types.ts'
import { type ExpansionTrouble, expandOption, isTrouble, trouble } from './values.ts'

export interface Envelope {
  readonly is: 'settled'
  /** Undefined: the sender of the message. */
  readonly errorsTo: ByteString | undefined
  readonly headersAdd: readonly Text[]
  readonly headersRemove: readonly Text[]
  /** An empty errors_to: nobody is told of what fails. */
  readonly ignoreErrors: boolean
}

/** What a router gives to the addresses that it makes. */
export type SettledEnvelope = Pick<Envelope, 'errorsTo' | 'headersAdd' | 'headersRemove'>

/** errors_to and the header changes; nothing of it counts while verifying but what a redirection hands on. */
export function settleEnvelope(work: RouterWork): Awaitable<Envelope | ExpansionTrouble> {
  const { errors_to, headers_add, headers_remove } = work.router.settings
  if (errors_to !== undefined || headers_add !== undefined || headers_remove !== undefined) {
    return settleNewEnvelope(work)
  }
  const { errorsTo, headersAdd, headersRemove, ignoreErrors } = work.candidate
  return { is: 'settled', errorsTo, headersAdd, headersRemove, ignoreErrors }
}

async function settleNewEnvelope(work: RouterWork): Promise<Envelope | ExpansionTrouble> {
  const errorsTo = await settleErrorsTo(work)
  if (isTrouble(errorsTo)) return errorsTo
  const { settings } = work.router
  const add = await expandHeaders(settings.headers_add, 'add_headers', work)
  if (isTrouble(add)) return add
  const remove = await expandHeaders(settings.headers_remove, 'remove_headers', work)
  if (isTrouble(remove)) return remove
  return {
    is: 'settled',
    errorsTo: errorsTo === undefined ? work.candidate.errorsTo : errorsTo.address,
    headersAdd: [...work.candidate.headersAdd, ...add],
    headersRemove: [...work.candidate.headersRemove, ...remove],
    ignoreErrors: errorsTo?.address === '' || work.candidate.ignoreErrors,
  }
}

/**
 * Who is told of an address that the router itself refuses: observed of Exim 4.96, two drivers heed errors_to then.
 * Undefined: nothing changes.
 */
export async function refusalErrorsTo(work: RouterWork): Promise<ByteString | undefined | ExpansionTrouble> {
  const { driver, settings } = work.router
  if (settings.errors_to === undefined || work.purpose !== 'deliver') return undefined
  if (driver !== 'redirect' && driver !== 'manualroute') return undefined
  const settled = await settleErrorsTo(work)
  return settled === undefined || isTrouble(settled) ? settled : settled.address
}

/** An address that does not verify is ignored, so that bounces of bounces cannot be made. */
async function settleErrorsTo(
  work: RouterWork,
): Promise<{ readonly address: ByteString } | undefined | ExpansionTrouble> {
  const value = await expandOption(
    work.router.settings.errors_to,
    work,
    (text) => `${work.router.name} router failed to expand "${text}"`,
  )
  if (value === undefined || isTrouble(value)) return value
  const address = qualified(textOf(value).trim(), work)
  if (address === '') return { address }
  // While verifying, it is taken as it is: verifying it too could go round in circles.
  if (work.purpose.startsWith('verify')) return { address }
  return (await work.services.verifies(address, work.context)) ? { address } : undefined
}

function qualified(address: ByteString, { context }: RouterWork): ByteString {
  return address === '' || address.includes('@') ? address : `${address}@${context.server.qualifyRecipient}`
}

/** Each item that is forced to fail, or empty, has no effect. */
async function expandHeaders(
  values: readonly Expandable[] | undefined,
  name: 'add_headers' | 'remove_headers',
  work: RouterWork,
): Promise<Text[] | ExpansionTrouble> {
  const texts: Text[] = []
  for (const item of expandedTexts(values)) {
    const value = await work.context.ports.expand(item, work.context)
    if (isFailure(value)) {
      if (value.kind === 'forced') continue
      return trouble(
        item,
        value,
        (text) => `${work.router.name} router failed to expand ${name} item "${text}"`,
      )
    }
    if (textOf(value) !== '') texts.push(value)
  }
  return texts
}

/** Exim's number for a transport that cannot be told, as it stands in `defer (-30)`. */
const badTransport = -30

/** The transport that an option names; undefined: the option is unset or forced to fail. */
export async function findTransport(
  option: Expandable | undefined,
  work: RouterWork,
): Promise<TransportInstance | undefined | ExpansionTrouble> {
  if (option === undefined) return undefined
  const value = await work.context.ports.expand(option, work.context)
  const router = work.router.name
  if (isFailure(value)) {
    return {
      is: 'defer',
      message: `failed to expand transport "${option.text}" in ${router} router: ${value.message}`,
      errno: badTransport,
    }
  }
  const wanted = textOf(value)
  if (unquotedTaint(value) !== undefined) {
    const text = `attempt to use tainted value '${wanted}' from '${option.text}' for transport`
    work.context.ports.log.panic(work.context.message?.id, text)
    return { is: 'defer', message: 'internal configuration error', errno: badTransport }
  }
  return (
    work.services.transports.get(wanted) ?? {
      is: 'defer',
      message: `transport "${wanted}" not found in ${router} router`,
      errno: badTransport,
    }
  )
}

export interface Ids {
  readonly is: 'ids'
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** `user` and `group`; without them what check_local_user found. */
export function settleIds(work: RouterWork): Awaitable<Ids | ExpansionTrouble> {
  const { user, group } = work.router.settings
  if (user !== undefined || group !== undefined) return settleNewIds(work)
  return { is: 'ids', uid: work.ugid.uid, gid: work.ugid.gid }
}

async function settleNewIds(work: RouterWork): Promise<Ids | ExpansionTrouble> {
  const { settings } = work.router
  const user = await findUser(settings.user, work)
  if (isTrouble(user)) return user
  const group = await findGroup(settings.group, work)
  if (isTrouble(group)) return group
  if (user !== undefined && user.gid === undefined && group === undefined && work.ugid.gid === undefined) {
    return { is: 'defer', message: `user set without group for ${work.router.name} router` }
  }
  return {
    is: 'ids',
    uid: user?.uid ?? work.ugid.uid,
    gid: group ?? user?.gid ?? work.ugid.gid,
  }
}

export async function findUser(
  option: Expandable | undefined,
  work: RouterWork,
): Promise<{ readonly uid: number; readonly gid: number | undefined } | undefined | ExpansionTrouble> {
  if (option === undefined) return undefined
  const name = await expandId(option, 'user', work)
  if (typeof name !== 'string') return name
  const { accounts } = work.context.ports
  if (/^\d+$/.test(name)) return { uid: Number(name), gid: undefined }
  const account = accounts.byName(name)
  if (account !== undefined) return account
  return unknownId('user', name, option, work)
}

export async function findGroup(
  option: Expandable | undefined,
  work: RouterWork,
): Promise<number | undefined | ExpansionTrouble> {
  if (option === undefined) return undefined
  const name = await expandId(option, 'group', work)
  if (typeof name !== 'string') return name
  if (/^\d+$/.test(name)) return Number(name)
  const group = work.context.ports.accounts.groupByName(name)
  if (group !== undefined) return group.gid
  return unknownId('group', name, option, work)
}

async function expandId(
  option: Expandable,
  name: string,
  work: RouterWork,
): Promise<string | ExpansionTrouble> {
  const value = await work.context.ports.expand(option, work.context)
  if (!isFailure(value)) return textOf(value).trim()
  const message = `Failed to expand ${name} string "${option.text}" for the ${work.router.name} router: ${value.message}`
  work.context.ports.log.panic(work.context.message?.id, message)
  return { is: 'defer', message }
}

function unknownId(
  kind: 'user' | 'group',
  name: string,
  option: Expandable,
  work: RouterWork,
): ExpansionTrouble {
  const message = `Failed to find ${kind} "${name}" from expanded string "${option.text}" for the ${work.router.name} router`
  work.context.ports.log.panic(work.context.message?.id, message)
  return { is: 'defer', message }
}
