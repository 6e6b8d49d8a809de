/** The redirect router: aliases, forward files, special items. Source: Exim manual, chapter 22. */
import { unquotedLocalPart } from '../../../mail/address.ts'
import type { Report } from '../../../base/diagnostic.ts'
import { isFailure } from '../../../base/outcome.ts'
import { asciiLower, type ByteString, type Text, textOf } from '../../../base/text.ts'
import type { Instance, RouterInstance } from '../../../language/config/configuration.ts'
import {
  type ItemError,
  type ListItem,
  type ListRules,
  parseList,
  type ParsedList,
} from '../redirect/parse-list.ts'
import { fileLimitBytes, readRedirectFile, redirectReader } from '../redirect/read-file.ts'
import type { PathReader } from '../files-of-user.ts'
import { filterKind } from '../filter/kind.ts'
import { filterVerdict } from '../redirect/filter-data.ts'
import { syntaxReport } from '../redirect/syntax-report.ts'
import type { RedirectedItem, RouterDriver, RouterVerdict, RouterWork } from '../types.ts'
import { expandOption } from '../values.ts'
import { redirectOptions, type RedirectSettings } from './redirect.options.ts'

export const redirect: RouterDriver = {
  name: 'redirect',
  doc: 'Puts other addresses, a pipe, a file, a failure or nothing in the place of an address.',
  since: '0.1',
  manual: 'The redirect router',
  options: redirectOptions,
  check,
  async route(work) {
    const settings = settingsOf(work.router)
    const reader = await redirectReader(work)
    if ('is' in reader) return reader
    const data = await readData(settings, work, reader)
    if (data === undefined) return { is: 'decline' }
    if (isVerdict(data)) return data
    const kind = filterKind(textOf(data))
    if (kind !== undefined) {
      const verdict = await filterVerdict(kind, textOf(data), settings, work)
      return verdict.is === 'wrong' ? withoutFilter(verdict.says, settings, work) : verdict
    }
    return verdictOf(await parseList(data, rulesOf(settings, work, reader)), settings, work)
  },
}

/** The parser fills in the settings of this driver's own table, so they have this form. */
function settingsOf(instance: Instance<object>): RouterInstance<RedirectSettings>['settings'] {
  return (instance as RouterInstance<RedirectSettings>).settings
}

function check(instance: Instance<object>, report: Report): void {
  const settings = settingsOf(instance)
  const complain = (says: string, option: string): void =>
    report({
      code: 'router-setting',
      severity: 'error',
      fatal: true,
      message: `${instance.name} router: ${says}`,
      at: instance.setAt.get(option) ?? instance.at,
    })
  if ((settings.data === undefined) === (settings.file === undefined)) {
    complain(
      'one of "data" or "file" (but not both) must be specified',
      settings.data === undefined ? 'driver' : 'file',
    )
  }
  if (settings.transport !== undefined) complain('generic option "transport" must not be set', 'transport')
  if (settings.qualify_domain !== undefined && settings.qualify_preserve_domain) {
    complain('only one of "qualify_domain" or "qualify_preserve_domain" must be set', 'qualify_domain')
  }
  if (settings.allow_filter && settings.user === undefined && !settings.check_local_user) {
    complain('"user" or "check_local_user" must be set with "allow_filter"', 'allow_filter')
  }
  if (settings.one_time) {
    const option = (['headers_add', 'headers_remove'] as const).find((name) => instance.setAt.has(name))
    if (option !== undefined)
      complain('"headers_add" and "headers_remove" are not permitted with "one_time"', option)
    if (instance.setAt.has('unseen')) complain('"unseen" may not be used with "one_time"', 'unseen')
  }
}

/** The redirection data; undefined: none, the router declines. */
async function readData(
  settings: RedirectSettings,
  work: RouterWork,
  reader: PathReader,
): Promise<Text | undefined | RouterVerdict> {
  if (settings.file === undefined) {
    return expandOption(settings.data, work)
  }
  const name = await work.context.ports.expand(settings.file, work.context)
  if (isFailure(name)) {
    if (name.kind === 'forced') return undefined
    const message = `failed to expand "${settings.file.text}": ${name.message}`
    return { is: 'defer', message }
  }
  const file = await readRedirectFile(name, settings, work, reader)
  if (file.is === 'absent') return undefined
  return file.is === 'data' ? file.bytes : file
}

function isVerdict(data: Text | RouterVerdict): data is RouterVerdict {
  return typeof data === 'object' && 'is' in data
}

function rulesOf(settings: RedirectSettings, work: RouterWork, reader: PathReader): ListRules {
  return {
    allowDefer: settings.allow_defer,
    allowFail: settings.allow_fail,
    forbidBlackhole: settings.forbid_blackhole,
    forbidInclude: settings.forbid_include,
    includeDirectory: settings.include_directory,
    skipErrors: settings.skip_syntax_errors,
    allowUtf8Domains: work.context.settings.allow_utf8_domains,
    async include(path) {
      const file = await reader.read(path, fileLimitBytes)
      return 'error' in file ? { error: file.error, missing: file.code === 'ENOENT' } : file
    },
  }
}

/** The number that Exim shows for data that cannot be read; observed. */
const badRedirect = -17

async function verdictOf(
  list: ParsedList,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<RouterVerdict> {
  switch (list.is) {
    case 'blackhole':
      return { is: 'discard', loggedAs: ':blackhole:' }
    case 'fail':
      return redirectTo(list.items, settings, work, refusal('fail', list.text, settings, work))
    case 'defer':
      return refusal('defer', list.text, settings, work)
    case 'error':
      return badData('redirect', list.message, settings)
    case 'items':
      break
  }
  const trouble =
    list.errors.length > 0 && (await tellErrors(list.errors, list.items.length > 0, settings, work))
  return trouble || redirectTo(list.items, settings, work, undefined)
}

function badData(what: 'redirect' | 'filter', says: ByteString, settings: RedirectSettings): RouterVerdict {
  const from = settings.file === undefined ? 'data' : 'file'
  return { is: 'defer', message: `error in ${what} ${from}: ${says}`, errno: badRedirect }
}

/** A filter that is wrong. With skip_syntax_errors it is as if it were not there. Source: Exim manual, "skip_syntax_errors". */
async function withoutFilter(
  says: ByteString,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<RouterVerdict> {
  if (!settings.skip_syntax_errors) return badData('filter', says, settings)
  const trouble = await tellErrors([{ item: undefined, reason: says, message: says }], false, settings, work)
  return trouble ?? { is: 'decline' }
}

async function redirectTo(
  list: readonly ListItem[],
  settings: RedirectSettings,
  work: RouterWork,
  refusal: Refusal | undefined,
): Promise<RouterVerdict> {
  if (list.length === 0) return refusal ?? { is: 'decline' }
  const items: RedirectedItem[] = []
  for (const item of list) {
    const made = await toItem(item, settings, work)
    if (made.is === 'defer' || made.is === 'decline') return made
    items.push(made)
  }
  return { is: 'redirect', items, rewrite: settings.rewrite, ...(refusal && { refusal }) }
}

type Refusal = RouterVerdict & { readonly is: 'fail' | 'defer' }

/** Text of `:fail:` and `:defer:`; it may begin with an SMTP code of its own. */
function refusal(
  is: 'fail' | 'defer',
  text: ByteString,
  settings: RedirectSettings,
  work: RouterWork,
): Refusal {
  const message = text
  const code = /^(\d{3})(?: \d\.\d{1,3}\.\d{1,3})? /.exec(message)
  if (code === null) return { is, message, userMessage: message }
  const fits = code[1]?.startsWith(is === 'fail' ? '5' : '4') === true
  if (!fits && !settings.forbid_smtp_code) {
    const text = `configured error code starts with incorrect digit (expected ${is === 'fail' ? '5' : '4'}) in "${message}"`
    work.context.ports.log.panic(work.context.message?.id, text)
  }
  const bare = message.slice(code[0].length)
  return fits && !settings.forbid_smtp_code
    ? { is, message, userMessage: message, code: code[1] ?? '' }
    : { is, message, userMessage: bare }
}

/** Logs what was skipped and sends the report of `syntax_errors_to`; a report that cannot be expanded defers. */
async function tellErrors(
  errors: readonly ItemError[],
  someGood: boolean,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<RouterVerdict | undefined> {
  const { context, router, services } = work
  for (const { message } of errors) {
    context.ports.log.main(context.message?.id, `${router.name} router: skipped error: ${message}`)
  }
  if (work.purpose !== 'deliver' || services.submit === undefined) return undefined
  const report = await syntaxReport(errors, someGood, settings, work)
  if (report === undefined) return undefined
  if ('problem' in report) {
    context.ports.log.main(context.message?.id, report.problem)
    return { is: 'defer', message: errors[0]?.reason ?? '' }
  }
  await services.submit(report)
  return undefined
}

async function toItem(
  item: ListItem,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<RedirectedItem | (RouterVerdict & { readonly is: 'defer' | 'decline' })> {
  if (item.is === 'special') {
    // `one_time` is for addresses alone: pipes and files could not be put in the place of a recipient.
    const forbidden =
      settings.one_time || (item.kind === 'pipe' ? settings.forbid_pipe : settings.forbid_file)
    return { is: 'special', special: { kind: item.kind, text: item.text, tainted: item.tainted, forbidden } }
  }
  const domain = item.domain === '' ? await qualify(item.backslash, settings, work) : item.domain
  if (typeof domain !== 'string') return domain
  if (settings.check_ancestor && isAncestor(unquotedLocalPart(item.localPart), domain, work))
    return { is: 'self' }
  return { is: 'address', localPart: item.localPart, domain }
}

/** Source: Exim manual, "Redirecting to a local mailbox", "qualify_domain". */
async function qualify(
  backslash: boolean,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<ByteString | (RouterVerdict & { readonly is: 'defer' | 'decline' })> {
  if (backslash || settings.qualify_preserve_domain) return work.candidate.domain
  if (settings.qualify_domain === undefined) return work.context.server.qualifyRecipient
  const value = await work.context.ports.expand(settings.qualify_domain, work.context)
  if (!isFailure(value)) return textOf(value)
  if (value.kind === 'forced') return { is: 'decline' }
  return { is: 'defer', message: `failed to expand "${settings.qualify_domain.text}": ${value.message}` }
}

function isAncestor(localPart: ByteString, domain: ByteString, work: RouterWork): boolean {
  for (let up = work.candidate.parent; up !== undefined; up = up.parent) {
    if (up.domain === asciiLower(domain) && asciiLower(up.localPart) === asciiLower(localPart)) return true
  }
  return false
}
