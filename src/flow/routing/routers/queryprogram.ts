/** The queryprogram router: a program says where an address goes. Source: Exim manual, "The queryprogram router". */
import type { Report } from '../../../base/diagnostic.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Instance, RouterInstance } from '../../../language/config/configuration.ts'
import { commandArguments } from '../../command-line.ts'
import { findGroup, findTransport, findUser } from '../assign.ts'
import { hostsOfList } from '../host-list.ts'
import { parseList } from '../redirect/parse-list.ts'
import type { RedirectedItem, RouterDriver, RouterVerdict, RouterWork } from '../types.ts'
import { type ExpansionTrouble, isTrouble } from '../values.ts'
import { queryprogramOptions, type QueryprogramSettings } from './queryprogram.options.ts'

export const queryprogram: RouterDriver = {
  name: 'queryprogram',
  doc: 'Asks a program where an address goes.',
  since: '0.1',
  manual: 'The queryprogram router',
  options: queryprogramOptions,
  check,
  async route(work) {
    const settings = settingsOf(work.router)
    const ids = await idsOf(settings, work)
    if ('is' in ids) return ids
    const split = await commandArguments(
      { text: settings.command?.text ?? '', expand: true, addresses: [], by: 'queryprogram router' },
      work.context,
    )
    if ('is' in split) return { is: 'defer', message: split.message }
    const { services, router } = work
    if (services.query === undefined) return { is: 'defer', message: 'programs cannot be asked here' }
    const answer = await services.query({
      ...ids,
      argv: split.argv,
      currentDirectory: settings.current_directory,
      timeoutMs: settings.timeout * 1000,
    })
    if (answer.is === 'failed') {
      return {
        is: 'defer',
        message: `${router.name} router: ${answer.message}`,
      }
    }
    if (answer.output === '')
      return { is: 'defer', message: `${router.name} router: command failed to return data` }
    // More is cut, as the manual says of its line. That all lines count was observed of Exim 4.96.
    return verdictOf(answer.output.slice(0, 1023), work)
  },
}

function settingsOf(instance: Instance<object>): RouterInstance<QueryprogramSettings>['settings'] {
  // The parser fills in the settings of this driver's own table, so they have this form.
  return (instance as RouterInstance<QueryprogramSettings>).settings
}

function check(instance: Instance<object>, report: Report): void {
  const settings = settingsOf(instance)
  const complain = (says: string): void =>
    report({
      code: 'router-setting',
      severity: 'error',
      fatal: true,
      message: `${instance.name} router: ${says}`,
      at: instance.at,
    })
  if (settings.command === undefined) complain('a query command must be specified')
  if (settings.command_user === undefined) complain('command_user must be specified')
  if (!settings.current_directory.startsWith('/')) complain('current_directory must be an absolute path')
}

type Ids = { readonly uid: number; readonly gid: number }

async function idsOf(settings: QueryprogramSettings, work: RouterWork): Promise<Ids | ExpansionTrouble> {
  const user = await findUser(settings.command_user, work)
  if (isTrouble(user)) return user
  const group = await findGroup(settings.command_group, work)
  if (isTrouble(group)) return group
  const gid = group ?? user?.gid
  if (user !== undefined && gid !== undefined) return { uid: user.uid, gid }
  const message = `command_user set without command_group for ${work.router.name} router`
  return { is: 'defer', message }
}

async function verdictOf(line: ByteString, work: RouterWork): Promise<RouterVerdict> {
  const match = /^\s*(\S+)\s?(.*?)\s*$/s.exec(line)
  const word = match?.[1] ?? ''
  const rest = match?.[2] ?? ''
  switch (word.toLowerCase()) {
    case 'accept':
      return accept(rest, work)
    case 'decline':
      return { is: 'decline' }
    case 'pass':
      return { is: 'pass' }
    case 'fail':
      return { is: 'fail', message: rest, userMessage: rest }
    case 'defer':
      return { is: 'defer', message: rest }
    case 'freeze':
      return { is: 'defer', message: rest, freeze: true }
    case 'redirect':
      return redirect(rest, work)
    default:
      return badAnswer(`bad command yield: ${word} ${rest}`, work)
  }
}

/** What the program says makes no sense: told in the panic log, too. */
function badAnswer(message: ByteString, { context, router }: RouterWork): RouterVerdict {
  const inPanicLog = { main: false, reject: false, panic: true }
  context.ports.log.reject(context.message?.id, `${router.name} router: ${message}`, inPanicLog)
  return { is: 'defer', message }
}

/** `transport=... hosts=... lookup=... data=...`, values quoted where they hold white space. */
function fieldsOf(text: ByteString): ReadonlyMap<string, ByteString> {
  const fields = new Map<string, ByteString>()
  for (const match of text.matchAll(/(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    const value = match[2] === undefined ? (match[3] ?? '') : match[2].replace(/\\(.)/gs, '$1')
    fields.set(match[1]?.toLowerCase() ?? '', value)
  }
  return fields
}

async function accept(text: ByteString, work: RouterWork): Promise<RouterVerdict> {
  const fields = fieldsOf(text)
  const data = fields.get('data')
  if (data !== undefined) {
    work.candidate.addressData = data
    work.facts.addressData = data
  }
  const named = fields.get('transport') || undefined
  const transport =
    named === undefined
      ? await findTransport(work.router.settings.transport, work)
      : work.services.transports.get(named)
  if (isTrouble(transport)) return transport
  if (named !== undefined && transport === undefined) {
    return badAnswer(`unknown transport name ${named} yielded by command`, work)
  }
  const assigned = transport === undefined ? {} : { transport }
  const list = fields.get('hosts')
  if (list === undefined || list === '') return { is: 'assign', hosts: [], ...assigned }
  const lookup = fields.get('lookup')?.toLowerCase() ?? ''
  if (lookup !== '' && lookup !== 'byname' && lookup !== 'bydns') {
    return badAnswer(`bad lookup type "${lookup}" yielded by command`, work)
  }
  return hostsOfList(list, lookup === '' ? 'both' : lookup, assigned, work)
}

/** Exim's number for a redirection that cannot be read. */
const badRedirect = -17

async function redirect(text: ByteString, work: RouterWork): Promise<RouterVerdict> {
  const list = await parseList(text, {
    allowDefer: false,
    allowFail: true,
    forbidBlackhole: true,
    forbidInclude: true,
    includeDirectory: undefined,
    skipErrors: false,
    allowUtf8Domains: work.context.settings.allow_utf8_domains,
    include: () => ({ error: 'not permitted', missing: false }),
  })
  if (list.is === 'fail') return { is: 'fail', message: list.text, userMessage: list.text }
  if (list.is !== 'items') {
    return wrongList(list.is === 'error' ? list.message : `":${list.is}:" is not permitted`)
  }
  const items: RedirectedItem[] = []
  for (const item of list.items) {
    if (item.is === 'special') {
      return { is: 'defer', message: `"${item.text}" is not permitted in redirect data returned by command` }
    }
    const domain = item.domain === '' ? work.context.server.qualifyRecipient : item.domain
    items.push({ is: 'address', localPart: item.localPart, domain })
  }
  if (items.length === 0) return wrongList('no addresses supplied')
  return { is: 'redirect', items, rewrite: true }
}

function wrongList(why: ByteString): RouterVerdict {
  return { is: 'defer', message: `error in redirect data: ${why}`, errno: badRedirect }
}
