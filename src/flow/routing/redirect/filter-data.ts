/** Runs a filter in place of a list of addresses. Source: Exim manual, "The redirect router", "Exim filter files". */
import { type ByteString, isTainted, textOf } from '../../../base/text.ts'
import { parseAddressList, splitAddress } from '../../../mail/address.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { settleIds } from '../assign.ts'
import { runEximFilter } from '../filter/exim/run.ts'
import { contextOfUser } from '../../foreign-expansion.ts'
import { forbiddenItems } from '../filter/forbidden.ts'
import type { FilterKind } from '../filter/kind.ts'
import type { FilterDelivery, FilterNote, FilterWorld } from '../filter/result.ts'
import { runSieve } from '../filter/sieve/run.ts'
import type { SieveOptions } from '../filter/sieve/script.ts'
import type { RedirectSettings } from '../routers/redirect.options.ts'
import type { RedirectedItem, RouterVerdict, RouterWork } from '../types.ts'
import { type ExpansionTrouble, expandOption, isTrouble } from '../values.ts'

/** What a filter comes to; or what is wrong with it, so that none of it is done. */
export type FilterVerdict = RouterVerdict | { readonly is: 'wrong'; readonly says: ByteString }

const wrong = (says: ByteString): FilterVerdict => ({ is: 'wrong', says })

export async function filterVerdict(
  kind: FilterKind,
  text: ByteString,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<FilterVerdict> {
  if (!settings.allow_filter) return wrong('filtering not enabled')
  if (kind === 'sieve' ? settings.forbid_sieve_filter : settings.forbid_exim_filter) {
    return wrong(`${kind === 'sieve' ? 'Sieve' : 'Exim'} filtering not enabled`)
  }
  const ids = await settleIds(work)
  if (isTrouble(ids)) return ids
  return kind === 'sieve' ? sieveVerdict(text, settings, work) : eximVerdict(text, settings, work, ids)
}

async function eximVerdict(
  text: ByteString,
  settings: RedirectSettings,
  work: RouterWork,
  ids: { readonly uid: number | undefined; readonly gid: number | undefined },
): Promise<FilterVerdict> {
  const rights = {
    system: false,
    allow: { defer: settings.allow_defer, fail: settings.allow_fail, freeze: settings.allow_freeze },
  }
  const world: FilterWorld = {
    context: filterContext(settings, work, ids.uid),
    tester: undefined,
    system: false,
    prependHome: settings.filter_prepend_home,
    qualifyDomain: work.context.server.qualifyRecipient,
    forbidden: (what) =>
      what === 'logwrite' && settings.forbid_filter_logwrite ? 'logwrite command forbidden' : undefined,
    rewrite: (address) => work.services.rewrite(address, work.context),
    note: (note) => writeNote(note, work, ids),
  }
  const result = await runEximFilter(text, rights, world)
  if (result.is === 'error') return wrong(result.message)
  const items = itemsOf(result.deliveries, settings)
  if (result.is !== 'done') {
    const { is, text: message } = result
    const refusal = {
      is: is === 'fail' ? 'fail' : 'defer',
      message,
      userMessage: message,
      ...(is === 'freeze' && { freeze: true }),
    } as const
    return items.length === 0 ? refusal : { is: 'redirect', items, rewrite: settings.rewrite, refusal }
  }
  if (items.length === 0)
    return result.significant ? { is: 'discard', loggedAs: 'discarded' } : { is: 'decline' }
  return {
    is: 'redirect',
    items,
    rewrite: settings.rewrite,
    ...(!result.significant && { goesOn: true as const }),
  }
}

/** Expansions see the message with the sender that its reports go to. */
function filterContext(settings: RedirectSettings, work: RouterWork, uid: number | undefined): Context {
  const { context, candidate } = work
  const own: Context = {
    ...context,
    captures: [],
    forbidden: forbiddenItems(settings),
    delivery: {
      routerName: work.router.name,
      transportName: '',
      ...context.delivery,
      returnPath: candidate.errorsTo ?? context.message?.sender ?? '',
    },
  }
  return contextOfUser(own, uid)
}

async function writeNote(
  { file, mode, text }: FilterNote,
  work: RouterWork,
  ids: { readonly uid: number | undefined; readonly gid: number | undefined },
): Promise<string | undefined> {
  // Only a delivery writes: not -bt, not a verification.
  if (work.purpose !== 'deliver') return undefined
  const path = textOf(file)
  if (isTainted(file)) return `Tainted name '${path}' for file open not permitted`
  if (!path.startsWith('/')) return `failed to open filter log file "${path}": not an absolute path`
  const { eximUid, eximGid } = work.context.server
  const { services } = work
  if (services.note === undefined) return 'filter log files cannot be written here'
  const problem = await services.note({
    uid: ids.uid ?? eximUid,
    gid: ids.gid ?? eximGid,
    file: path,
    mode,
    text,
  })
  return problem === undefined ? undefined : `failed to open filter log file "${path}": ${problem}`
}

async function sieveVerdict(
  text: ByteString,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<RouterVerdict> {
  const options = await sieveOptions(settings, work)
  if (isTrouble(options)) return options
  const context = filterContext(settings, work, undefined)
  const result = await runSieve(text, options, context)
  context.debug?.(
    'filter',
    result.is === 'error'
      ? `Sieve: ${result.message}`
      : `Sieve: ${result.deliveries.map((one) => one.is).join(', ') || 'nothing is delivered'}`,
  )
  if (result.is === 'error') {
    // A mistake must not cost the user mail: Exim manual, "RFC compliance".
    if (work.purpose === 'deliver') {
      context.ports.log.main(context.message?.id, `${work.router.name} router: ${result.message}`)
    }
    const items = itemsOf([{ is: 'file', path: options.inbox, mode: undefined, noError: false }], settings)
    return { is: 'redirect', items, rewrite: settings.rewrite }
  }
  if (result.deliveries.length === 0) return { is: 'discard', loggedAs: 'discarded' }
  const items = itemsOf(result.deliveries, settings)
  return { is: 'redirect', items, rewrite: settings.rewrite }
}

async function sieveOptions(
  settings: RedirectSettings,
  work: RouterWork,
): Promise<SieveOptions | ExpansionTrouble> {
  const texts: (ByteString | undefined)[] = []
  for (const option of [
    settings.sieve_inbox,
    settings.sieve_vacation_directory,
    settings.sieve_enotify_mailto_owner,
    settings.sieve_useraddress,
    settings.sieve_subaddress,
  ]) {
    const value = await expandOption(option, work)
    if (isTrouble(value)) return value
    texts.push(value === undefined ? undefined : textOf(value))
  }
  const [inbox, vacationDirectory, notifyOwner, userAddress, subAddress] = texts
  return { inbox: inbox ?? 'inbox', vacationDirectory, notifyOwner, userAddress, subAddress }
}

function itemsOf(deliveries: readonly FilterDelivery[], settings: RedirectSettings): RedirectedItem[] {
  return deliveries.map((delivery) => itemOf(delivery, settings))
}

export function itemOf(
  delivery: FilterDelivery,
  forbids: Pick<RedirectSettings, 'one_time' | 'forbid_file' | 'forbid_pipe' | 'forbid_filter_reply'>,
): RedirectedItem {
  const { noError } = delivery
  switch (delivery.is) {
    case 'address': {
      const { localPart, domain } = splitAddress(delivery.address)
      const errorsTo = delivery.errorsTo === undefined ? {} : { errorsTo: delivery.errorsTo }
      return { is: 'address', localPart, domain, noError, ...errorsTo }
    }
    case 'file': {
      const text = textOf(delivery.path)
      return {
        is: 'special',
        special: {
          kind: text.endsWith('/') ? 'directory' : 'file',
          text,
          tainted: isTainted(delivery.path),
          forbidden: forbids.one_time || forbids.forbid_file,
          filtered: { noError, ...(delivery.mode !== undefined && { mode: delivery.mode }) },
        },
      }
    }
    case 'pipe':
      return {
        is: 'special',
        special: {
          kind: 'pipe',
          text: `|${delivery.command}`,
          tainted: false,
          forbidden: forbids.one_time || forbids.forbid_pipe,
          filtered: { noError, scope: delivery.scope },
        },
      }
    case 'reply':
      return replyItem(delivery, forbids.one_time || forbids.forbid_filter_reply)
  }
}

/** Its name in the log is the list of its recipients. */
function replyItem(delivery: FilterDelivery & { readonly is: 'reply' }, forbidden: boolean): RedirectedItem {
  const { reply, noError } = delivery
  const recipients: ByteString[] = []
  let bad = false
  for (const one of parseAddressList(reply.to ?? '')) {
    if ('address' in one && parseAddress(one.address).is === 'address') recipients.push(one.address)
    else bad = true
  }
  return {
    is: 'special',
    special: {
      kind: 'reply',
      text: bad || recipients.length === 0 ? '>**bad-reply**' : `>${recipients.join(',')}`,
      tainted: false,
      forbidden,
      filtered: {
        reply,
        noError: noError || bad,
        ...(bad && { badReply: 'filter autoreply generated syntactically invalid recipient' }),
      },
    },
  }
}
