/** The autoreply transport: answers a message with another one. Source: Exim manual, "The autoreply transport". */
import { constants } from 'node:os'
import { isFailure } from '../../../base/outcome.ts'
import { type ByteString, isTainted, taint, type Text, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import { parseAddressList } from '../../../mail/address.ts'
import { splitAddressList } from '../../../mail/address-list.ts'
import { headerBody } from '../../../mail/header.ts'
import { messageIdHeader } from '../../../mail/message-id.ts'
import { referencesTo } from '../../../mail/references.ts'
import type { Context } from '../../../ports.ts'
import { contextOfUser, isForeign } from '../../foreign-expansion.ts'
import type { RoutedAddress } from '../../routed.ts'
import { headerSection } from '../copy.ts'
import { expanded, readTime } from '../expanding.ts'
import { localIdentity, type LocalIdentity } from '../local-identity.ts'
import { type LocalJob, runLocalJob } from '../local-job.ts'
import { logDate } from '../date.ts'
import { type AddressOutcome, errorNumbers } from '../results.ts'
import { autoreplyOptions, type AutoreplySettings } from './autoreply.options.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './driver.ts'
import { deferral, localKey } from './local.ts'
import { refuseAll, sharedOutcome } from './shared.ts'

type Settings = TransportInstance<AutoreplySettings>['settings']
type Undelivered = Exclude<AddressOutcome, { readonly is: 'delivered' }>

export const autoreply: TransportDriver = {
  name: 'autoreply',
  doc: 'Answers a message with a message of its own.',
  options: autoreplyOptions,
  local: true,
  check(instance, report) {
    const settings = settingsOf(instance)
    if (settings.once_file_size === 0) return
    report({
      code: 'autoreply-once-file-size',
      severity: 'warning',
      message: `${instance.name} transport: once_file_size has no effect`,
      at: instance.setAt.get('once_file_size') ?? instance.at,
      help: 'who was answered is remembered in the hints of the spool, and forgotten after once_repeat',
    })
  },
  limits: () => ({ most: 1, multiDomain: true }),
  async run(batch, context, environment) {
    const startedAt = context.ports.now()
    const outcome = (await sharedOutcome(batch, context)) ?? (await reply(batch, context, environment))
    return refuseAll(batch.addresses, counted(outcome, batch), context.ports.now() - startedAt)
  },
}

/** A file that cannot be read or written counts in the retry rules. */
function counted(outcome: AddressOutcome, batch: Batch): AddressOutcome {
  if (outcome.is !== 'deferred' || outcome.retryKey !== undefined || outcome.error.errno <= 0) return outcome
  return { ...outcome, retryKey: localKey(batch.addresses[0]?.address ?? '', batch) }
}

/** The driver of the instance is autoreply, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): Settings {
  return (instance as TransportInstance<AutoreplySettings>).settings
}

const fields = [
  'from',
  'reply_to',
  'to',
  'cc',
  'bcc',
  'subject',
  'headers',
  'text',
  'file',
  'log',
  'once',
] as const
type Fields = Partial<Record<Exclude<(typeof fields)[number], 'log'> | 'once_repeat', ByteString>> & {
  log?: Text
}

async function reply(
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<AddressOutcome> {
  const settings = settingsOf(batch.transport)
  // The batch holds one address: limits say so.
  const routed = batch.addresses[0] as RoutedAddress
  // Once: an expansion of `user` may do something.
  const identity = await localIdentity(batch.transport.settings, batch.transport.name, routed, context)
  if ('failure' in identity) {
    if (identity.told !== true) context.ports.log.panic(environment.claim.id, identity.failure)
    return { ...deferral(identity.failure, identity.errno), retryKey: localKey(routed.address, batch) }
  }
  const said =
    routed.reply === undefined
      ? await fieldsOf(settings, batch.transport.name, context)
      : { fields: routed.reply }
  // A filter says all of it: options of the transport that make up the message do not count then.
  const manner: Manner = {
    fileExpand: routed.reply === undefined ? settings.file_expand : routed.reply.fileExpand === true,
    fileOptional: routed.reply === undefined && settings.file_optional,
    returnMessage: routed.reply === undefined ? settings.return_message : routed.reply.returnMessage === true,
    autoSubmitted: routed.reply?.autoSubmitted ?? 'auto-replied',
    identity,
  }
  if ('problem' in said) return said.problem
  const parts = said.fields
  const kept = await withoutNever(parts, batch.transport.name, settings, context)
  if ('is' in kept) return kept
  const recipients = [...addressesOf(kept.to), ...addressesOf(kept.cc), ...addressesOf(kept.bcc)]
  const asked = [...addressesOf(parts.to), ...addressesOf(parts.cc), ...addressesOf(parts.bcc)]
  // All fall under never_mail: no message is made, none is noted.
  if (asked.length > 0 && recipients.length === 0) return { is: 'delivered', sizeBytes: 0 }
  const once = onceKey(parts, kept.to)
  const repeatSeconds = readTime(parts.once_repeat ?? '0s')
  if (repeatSeconds === undefined) {
    return failure(
      `Invalid time value "${parts.once_repeat}" for "once_repeat" in ${batch.transport.name} transport`,
    )
  }
  if (once !== undefined && wasAnswered(once, repeatSeconds, context)) {
    await writeLog(parts.log, `previously sent to ${kept.to ?? ''}`, batch, identity, context, environment)
    return { is: 'delivered', sizeBytes: 0 }
  }
  const text = await composed(kept, manner, batch, context, environment)
  if (typeof text !== 'string') return text
  if (recipients.length === 0 && hasBadRecipients(kept)) {
    return deferral(`Failed to send message from ${batch.transport.name} transport (1)`, 0)
  }
  // Nobody to answer, as for a bounce: that is no error.
  if (recipients.length > 0) {
    const submitted = await environment.deps.submit({
      sender: '',
      recipients,
      text,
      about: environment.claim.id,
      isReport: false,
      writtenBy: identity.uid,
    })
    if (submitted.is === 'refused') {
      // Where an ACL wants no such message, Exim names the exit code of the program that submits it.
      const why = submitted.byAcl === true ? '1' : submitted.message
      return deferral(
        `Failed to send message from ${batch.transport.name} transport (${why})`,
        submitted.byAcl === true ? 0 : errorNumbers.unknown,
      )
    }
  }
  if (once !== undefined) context.ports.hints.put('misc', once, { answeredAt: context.ports.now() })
  const lines = [
    kept.from === undefined ? undefined : `From: ${kept.from}`,
    kept.to === undefined ? undefined : `To: ${kept.to}`,
    kept.cc === undefined ? undefined : `Cc: ${kept.cc}`,
    kept.bcc === undefined ? undefined : `Bcc: ${kept.bcc}`,
    kept.subject === undefined ? undefined : `Subject: ${kept.subject}`,
    kept.headers,
  ]
  const record = lines.filter((line) => line !== undefined).join('\n  ')
  await writeLog(parts.log, record, batch, identity, context, environment)
  return { is: 'delivered', sizeBytes: text.length }
}

/** All options that make up the message, expanded. */
async function fieldsOf(
  settings: Settings,
  transport: string,
  context: Context,
): Promise<{ readonly fields: Fields } | { readonly problem: AddressOutcome }> {
  const result: Fields = {}
  for (const name of [...fields, 'once_repeat'] as const) {
    const option = settings[name]
    const value = await expanded(option, context)
    if (value === undefined) continue
    if (isFailure(value)) {
      return {
        problem: failure(
          `Expansion of "${option?.text ?? ''}" failed in ${transport} transport: ${value.message}`,
        ),
      }
    }
    if (name === 'log') {
      result.log = value
      continue
    }
    const text = textOf(value)
    if (isTainted(value) && (name === 'file' || name === 'once')) {
      const what = name === 'file' ? 'file' : 'once file'
      return { problem: notPermitted(`Tainted '${text}' (${what} for ${transport} transport) not permitted`) }
    }
    // A header must not end early: only line ends followed by white space may stand in it.
    const wrong = isHeader(name) ? /[\0-\x08\x0b-\x1f\x7f]|\n(?![ \t])/.exec(text)?.[0] : undefined
    if (wrong !== undefined) {
      const shown = JSON.stringify(option?.text ?? '')
      const what = `contains non-printing character ${wrong.charCodeAt(0)}`
      return { problem: failure(`Expansion of ${shown} in ${transport} transport ${what}`) }
    }
    result[name] = text
  }
  return { fields: result }
}

function failure(message: ByteString): Undelivered {
  // A mistake in the configuration is nothing for the sender.
  return { is: 'failed', error: { errno: errorNumbers.unknown, more: 0, message }, bounceText: '' }
}

function notPermitted(message: ByteString): AddressOutcome {
  return {
    is: 'deferred',
    error: { errno: errorNumbers.notPermitted, more: 0, errorText: 'Permission denied', message },
  }
}

function isHeader(name: string): boolean {
  return ['from', 'reply_to', 'to', 'cc', 'bcc', 'subject'].includes(name)
}

/** Takes recipients of `never_mail` out. */
async function withoutNever(
  parts: Fields,
  transport: string,
  { never_mail: never }: Settings,
  context: Context,
): Promise<Fields | Undelivered> {
  if (never === undefined) return parts
  const list = await context.ports.expand(never, context)
  if (isFailure(list)) {
    return failure(`Failed to expand "${never.text}" for "never_mail" in ${transport} transport`)
  }
  const result: Fields = { ...parts }
  for (const name of ['to', 'cc', 'bcc'] as const) {
    const items = splitAddressList(parts[name] ?? '').map(({ text }) => text)
    const kept: ByteString[] = []
    for (const item of items) {
      const [address] = addressesOf(item)
      const match =
        address === undefined
          ? undefined
          : await context.ports.matchListText('address', list, taint(address, '$recipients'), context)
      // Whom a lookup that cannot be made might name gets nothing yet.
      if (match?.is === 'defer' || match?.is === 'failure') {
        return deferral(`never_mail: ${match.message}`, errorNumbers.unknown)
      }
      if (match?.is !== 'match') kept.push(item)
    }
    if (kept.length === 0) delete result[name]
    else if (kept.length < items.length) result[name] = kept.join(', ')
  }
  return result
}

/** Something stands there that is no address. */
function hasBadRecipients({ to, cc, bcc }: Fields): boolean {
  return parseAddressList([to, cc, bcc].filter((list) => list !== undefined).join(', ')).length > 0
}

function addressesOf(list: ByteString | undefined): ByteString[] {
  if (list === undefined || list.trim() === '') return []
  return parseAddressList(list).flatMap((one) => ('address' in one ? [one.address] : []))
}

function onceKey(parts: Fields, to: ByteString | undefined): string | undefined {
  if (parts.once === undefined || parts.once === '' || to === undefined) return undefined
  return `once:${parts.once}:${to.toLowerCase()}`
}

function wasAnswered(key: string, repeatSeconds: number, context: Context): boolean {
  const value = context.ports.hints.get('misc', key)
  if (typeof value !== 'object' || value === null) return false
  const at: unknown = Reflect.get(value, 'answeredAt')
  if (typeof at !== 'number') return false
  return repeatSeconds === 0 || context.ports.now() - at < repeatSeconds * 1000
}

/** How the message is made up. */
interface Manner {
  readonly fileExpand: boolean
  readonly fileOptional: boolean
  readonly returnMessage: boolean
  readonly autoSubmitted: ByteString
  /** For whom it is written. */
  readonly identity: LocalIdentity
}

/** Headers in Exim's order, text, file, and the original message when it is asked for. */
async function composed(
  parts: Fields,
  manner: Manner,
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<ByteString | AddressOutcome> {
  const { headers } = environment.claim.message.envelope
  const id = messageIdHeader(headers)
  const messageId = id === undefined ? '' : headerBody(id).trim()
  let text = ''
  const add = (name: string, value: ByteString | undefined): void => {
    if (value !== undefined && value.trim() !== '') text += `${name}: ${value.trim()}\n`
  }
  add('From', parts.from)
  add('Reply-To', parts.reply_to)
  add('To', parts.to)
  add('Cc', parts.cc)
  add('Subject', parts.subject)
  if (messageId !== '') {
    add('In-Reply-To', messageId)
    add('References', referencesTo(headers))
  }
  text += `Auto-Submitted: ${manner.autoSubmitted}\n`
  const more = parts.headers?.replace(/\n+$/, '') ?? ''
  if (more !== '') text += `${more}\n`
  text += '\n'
  if (parts.text !== undefined) text += parts.text.endsWith('\n') ? parts.text : `${parts.text}\n`
  const file = await fileText(parts.file, manner, batch, context)
  if (typeof file !== 'string') return file
  text += file
  if (!manner.returnMessage) return text
  return text + (await original(batch, context, environment))
}

/** Most bytes of a file that is sent as the answer. */
const fileLimitBytes = 1024 * 1024

async function fileText(
  path: ByteString | undefined,
  manner: Manner,
  batch: Batch,
  context: Context,
): Promise<ByteString | AddressOutcome> {
  if (path === undefined || path === '') return ''
  const ids = manner.identity
  const { asUser } = context.ports.files
  // A user's file is read with the rights of the user; without the means for that, with ours, which are less than root's.
  const file =
    asUser === undefined || !isForeign(ids.uid)
      ? context.ports.files.read(path, fileLimitBytes)
      : await asUser.read(ids, path, fileLimitBytes)
  if ('error' in file) {
    if (manner.fileOptional) return ''
    const errno = constants.errno[file.code as keyof typeof constants.errno] ?? errorNumbers.unknown
    const errorText = file.error.replace(/ \(euid=.*$/, '')
    const message = `Failed to open file ${path} when sending message from ${batch.transport.name} transport: ${errorText}`
    return { is: 'deferred', error: { errno, more: 0, errorText, message } }
  }
  if (!manner.fileExpand) return file.bytes
  return expandedLines(file.bytes, contextOfUser(context, ids.uid))
}

/** Line by line; one that cannot be expanded stays as it is. Observed of Exim 4.96. */
async function expandedLines(bytes: ByteString, context: Context): Promise<ByteString> {
  let text = ''
  for (const line of bytes.split(/(?<=\n)/)) {
    const value =
      line.includes('$') || line.includes('\\') ? await context.ports.expandText(line, context) : line
    text += isFailure(value) ? line : textOf(value)
  }
  return text
}

/** The message that is answered, as much of it as return_size_limit allows. */
async function original(
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<ByteString> {
  const limit = context.settings.bounce_return_size_limit
  const section = await headerSection(
    {
      settings: batch.transport.settings,
      headers: environment.claim.message.envelope.headers,
      addresses: batch.addresses,
      returnPath: batch.returnPath,
      now: context.ports.now(),
      deps: environment.deps,
    },
    context,
  )
  const { headers_only: headersOnly, body_only: bodyOnly } = batch.transport.settings
  const head = 'failure' in section ? '' : section.text
  if (headersOnly) return `\n------ This is a copy of the message's header lines.\n\n${head}\n`
  const size = context.message?.size ?? 0
  const whole = limit <= 0 || size <= limit
  const what = bodyOnly
    ? 'the body of the message, without the headers'
    : 'the message, including all the headers'
  let text = `\n------ This is a copy of ${what}.\n`
  if (!whole) {
    text += `------ The body of the message is ${environment.claim.message.bodySize} characters long; only the first\n------ ${limit} or so are included here.\n`
  }
  text += bodyOnly ? '\n' : `\n${head}\n`
  let body = ''
  for await (const piece of environment.claim.message.body()) {
    body += Buffer.from(piece).toString('latin1')
    if (!whole && body.length >= limit) break
  }
  return text + (whole ? body : `${body.slice(0, limit)}\n`)
}

/** A record of what was sent, in a file of the user. */
async function writeLog(
  file: Text | undefined,
  record: ByteString,
  batch: Batch,
  identity: LocalIdentity,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<void> {
  if (file === undefined || file === '') return
  if (isTainted(file)) {
    context.ports.log.panic(environment.claim.id, `Tainted filename '${file.text}'`)
    return
  }
  const settings = settingsOf(batch.transport)
  const job: LocalJob = {
    kind: 'note',
    file,
    mode: settings.mode,
    text: `${logDate(context.ports.now())}\n  ${record}\n`,
    head: '',
    tail: '',
    escape: undefined,
    useCrlf: false,
    currentDirectory: '/',
    umask: 0,
    initgroups: identity.initgroups,
  }
  const { deps } = environment
  const mine = process.getuid?.() === identity.uid && process.getgid?.() === identity.gid
  const result =
    deps.runAs === undefined || mine
      ? await runLocalJob(job, noBody())
      : await deps.runAs(identity.uid, identity.gid, job, noBody())
  if (result.is !== 'done') {
    context.ports.log.main(
      environment.claim.id,
      `Failed to write to ${file} when sending message from ${batch.transport.name} transport: ${result.message}`,
    )
  }
}

async function* noBody(): AsyncIterable<Uint8Array> {}
