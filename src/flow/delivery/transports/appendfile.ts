/** The appendfile transport: into a mailbox file or a maildir. Source: Exim manual, "The appendfile transport". */
import { hostname } from 'node:os'
import { type Failure, isFailure } from '../../../base/outcome.ts'
import { compileRegex } from '../../../base/regex.ts'
import { type ByteString, isTainted, textOf } from '../../../base/text.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { mboxDate } from '../date.ts'
import { expanded, expandedBoolean, expandedBytes, readInteger } from '../expanding.ts'
import type { LocalIdentity } from '../local-identity.ts'
import { bareJob, type LocalJobCommon } from '../local-job.ts'
import type { FolderQuota } from '../local/folder-quota.ts'
import { maildirName } from '../local/maildir.ts'
import { errorNumbers, type TransportResult } from '../results.ts'
import type { UniqueClock } from '../unique-clock.ts'
import { appendfileOptions, type AppendfileSettings } from './appendfile.options.ts'
import type { RoutedAddress } from '../../routed.ts'
import { rcptAddress } from '../rcpt-address.ts'
import { batchLimits } from './batching.ts'
import { bsmtpFrame } from './bsmtp.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './driver.ts'
import { expandedQuota, readQuota } from './quota-value.ts'
import { badThreshold, thresholdOf, warnOfSize } from './quota-warning.ts'
import { deferral, type JobOrOutcome, type LocalFrame, runLocal } from './local.ts'
import { refuseAll } from './shared.ts'

type Settings = TransportInstance<AppendfileSettings>['settings']

export const appendfile: TransportDriver = {
  name: 'appendfile',
  doc: 'Writes messages into mailbox files or into folders with one file a message.',
  options: appendfileOptions,
  local: true,
  check(instance, report) {
    const settings = settingsOf(instance)
    const wrong = unusable(settings)
    if (wrong === undefined) return
    report({
      code: 'appendfile-settings',
      severity: 'error',
      message: `${instance.name} transport: ${wrong}`,
      at: instance.at,
      fatal: true,
    })
  },
  limits: (routed, context) => {
    const { batch_max, batch_id } = settingsOf(routed.transport)
    return batchLimits(routed, context, batch_max, batch_id)
  },
  run: (batch, context, environment) => run(batch, context, environment),
}

/** The driver of the instance is appendfile, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): Settings {
  return (instance as TransportInstance<AppendfileSettings>).settings
}

function unusable(settings: Settings): string | undefined {
  // Their formats and locks belong to one library and its programs; mixing them with ours would damage mailboxes.
  if (settings.mbx_format || settings.use_mbx_lock === true)
    return 'MBX mailboxes are not supported: use maildir_format, or mbox files'
  if (settings.file_format !== undefined)
    return 'file_format is not supported: give each format a router and a transport of its own'
  return undefined
}

async function run(
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<TransportResult> {
  // A file named by a redirection to /dev/null is no delivery at all.
  const [first] = batch.addresses
  if (first?.special === 'file' && first.address === '/dev/null') {
    return refuseAll(batch.addresses, { is: 'delivered', sizeBytes: 0, bypassed: true }, 0)
  }
  const result = await runLocal(
    batch,
    context,
    environment,
    (frame, inner) => prepare(batch, frame, inner, environment.clock),
    (done, inner) => warnOfSize(done, settingsOf(batch.transport), batch.transport.name, inner, environment),
  )
  return first?.special === undefined ? result : withPath(result, batch, context)
}

/** A file or folder that a redirection asked for is logged by the path that the transport made of it. */
async function withPath(result: TransportResult, batch: Batch, context: Context): Promise<TransportResult> {
  const settings = settingsOf(batch.transport)
  const value = await expanded(settings.file ?? settings.directory, context)
  if (value === undefined || isFailure(value)) return result
  const path = textOf(value)
  const addresses = result.addresses.map((one) =>
    one.outcome.is === 'failed' ? one : { ...one, outcome: { ...one.outcome, shownAs: path } },
  )
  return { ...result, addresses }
}

async function prepare(
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const home = textOf(frame.identity.home ?? '') || undefined
  const target = await targetOf(batch, settings, home, context)
  if ('outcome' in target) return target
  if (target.isFolder && !mayCreate(settings.create_file, `${target.path}/file`, home)) {
    const message = `tried to create file in ${target.path}, but file creation outside the home directory is not permitted`
    return { outcome: deferral(message, errorNumbers.badCreate) }
  }
  if (target.path === '/dev/null') return { outcome: { is: 'delivered', sizeBytes: 0 } }
  const quota = await quotaOf(batch, settings, context)
  if ('outcome' in quota) return quota
  if (target.isFolder && settings.mailstore_format)
    return mailstoreJob(target.path, batch, frame, context, clock, quota)
  if (target.isFolder && !settings.maildir_format)
    return folderJob(target.path, batch, frame, context, clock, quota)
  return target.isFolder
    ? maildirJob(target.path, batch, frame, context, clock, quota)
    : mboxJob(target.path, batch, frame, context, clock, quota)
}

/** What looks whether the mailbox of an address has room; undefined: it has no quota. */
export async function quotaJobOf(
  routed: RoutedAddress,
  identity: LocalIdentity,
  context: Context,
  clock: UniqueClock,
): Promise<JobOrOutcome | undefined> {
  const settings = settingsOf(routed.transport)
  if (settings.quota === undefined && settings.quota_filecount === undefined) return undefined
  const batch = { transport: routed.transport, addresses: [routed], returnPath: '', force: false }
  const made = await prepare(batch, { identity, head: '' }, context, clock)
  if ('outcome' in made) return made
  const { job } = made
  switch (job.kind) {
    case 'folder':
    case 'maildir':
    case 'mailstore':
    case 'mbox':
      return { job: { ...bareJob, kind: 'quota', of: job } }
    default:
      return undefined
  }
}

/** All that the options say of quotas. */
async function quotaOf(
  batch: Batch,
  settings: Settings,
  context: Context,
): Promise<FolderQuota | { outcome: ReturnType<typeof deferral> }> {
  const { name } = batch.transport
  const failed = (option: Expandable | undefined, { message }: Failure): ReturnType<typeof refuse> =>
    refuse(`Expansion of "${option?.text ?? ''}" in ${name} transport failed: ${message}`)
  const bytes = await expandedQuota(settings.quota, context)
  if (isFailure(bytes)) return failed(settings.quota, bytes)
  if ('malformed' in bytes) return malformed(bytes.malformed, settings.quota, name)
  const files = await expandedQuota(settings.quota_filecount, context)
  if (isFailure(files)) return failed(settings.quota_filecount, files)
  if ('malformed' in files) return malformed(files.malformed, settings.quota_filecount, name)
  const directory = await expandedBytes(settings.quota_directory, context)
  if (isFailure(directory)) {
    const text = settings.quota_directory?.text ?? ''
    return refuse(
      `Expansion of "${text}" (quota_directory name for ${name} transport) failed: ${directory.message}`,
    )
  }
  if (directory !== undefined && !directory.startsWith('/')) {
    const message = `appendfile: quota_directory name "${directory}" is not absolute`
    return { outcome: deferral(message, errorNumbers.notAbsolute) }
  }
  const threshold = await badThreshold(settings, context)
  if (isFailure(threshold)) {
    const text = settings.quota_warn_threshold?.text ?? ''
    return refuse(`Expansion of "${text}" in ${name} transport failed: ${threshold.message}`)
  }
  if (threshold !== undefined) return malformed(threshold, settings.quota_warn_threshold, name)
  const known = await knownSize(batch, context)
  if ('outcome' in known) return known
  return {
    quota: bytes.most,
    quotaUnchecked: bytes.unchecked,
    quotaFileCount: files.most,
    quotaFileCountUnchecked: files.unchecked,
    quotaDirectory: directory,
    quotaInclusive: settings.quota_is_inclusive,
    quotaSizeRegex: settings.quota_size_regex,
    messageSize: Math.max(0, context.message?.size ?? 0),
    knownBytes: known.knownBytes,
    knownFiles: known.knownFiles,
  }
}

/** The path: named by the redirection, or expanded from the option; never tainted. */
async function targetOf(
  batch: Batch,
  settings: Settings,
  home: string | undefined,
  context: Context,
): Promise<{ readonly path: string; readonly isFolder: boolean } | { outcome: ReturnType<typeof deferral> }> {
  const [first] = batch.addresses
  const name = batch.transport.name
  const special = first?.special === 'file' || first?.special === 'directory'
  const option = settings.file ?? settings.directory
  if (special && option === undefined) {
    const path = first.address
    if (!path.startsWith('/')) return notAbsolute(path)
    const asFolder = settings.maildir_format || settings.mailstore_format
    return { path, isFolder: asFolder || first.special === 'directory' || path.endsWith('/') }
  }
  const value = await expanded(option, context)
  if (value === undefined) return refuse(`Mandatory file or directory option missing from ${name} transport`)
  if (isFailure(value)) {
    return refuse(
      `Expansion of "${option?.text ?? ''}" (file or directory name for ${name} transport) failed: ${value.message}`,
    )
  }
  const path = textOf(value)
  if (!path.startsWith('/')) return notAbsolute(path)
  if (isTainted(value) && !clearsTaint(settings.create_file, path, home))
    return refuse(`Tainted '${path}' (file or directory name for ${name} transport) not permitted`)
  return { path, isFolder: settings.file === undefined }
}

async function maildirJob(
  directory: string,
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
  quota: FolderQuota,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const expandedTag = await expandedBytes(settings.maildir_tag, context)
  const tag = isFailure(expandedTag) && expandedTag.kind === 'forced' ? undefined : expandedTag
  if (isFailure(tag)) {
    return refuse(
      `Expansion of "${settings.maildir_tag?.text ?? ''}" (maildir_tag for ${batch.transport.name} transport) failed: ${tag.message}`,
    )
  }
  const common = await commonOf(settings, frame, context, batch, true)
  if ('outcome' in common) return common
  const sizeFile = await expandedBoolean(settings.maildir_use_size_file, context, false)
  if (isFailure(sizeFile)) return refuse(`Expansion of maildir_use_size_file failed: ${sizeFile.message}`)
  const path = directory.replace(/\/+$/, '')
  // Written out, as each message passes here: docs/decisions/building.md.
  return {
    job: {
      lead: common.lead ?? '',
      head: common.head,
      tail: common.tail,
      escape: common.escape,
      useCrlf: common.useCrlf,
      currentDirectory: common.currentDirectory,
      umask: common.umask,
      initgroups: common.initgroups,
      kind: 'maildir',
      directory: path,
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: batch.addresses[0]?.fileMode ?? settings.mode,
      name: maildirName(clock.next(context.ports.now()), process.pid, context.server.primaryHostname),
      tag: tag === undefined || tag === '' ? '' : /^[A-Za-z0-9]/.test(tag) ? `:${tag}` : tag,
      measure: quota.quota > 0 || quota.quotaFileCount > 0 || (await thresholdOf(settings, context)) > 0,
      quota: quota.quota,
      quotaFileCount: quota.quotaFileCount,
      quotaUnchecked: quota.quotaUnchecked,
      quotaFileCountUnchecked: quota.quotaFileCountUnchecked,
      quotaDirectory: quota.quotaDirectory,
      quotaInclusive: quota.quotaInclusive,
      quotaSizeRegex: quota.quotaSizeRegex,
      messageSize: quota.messageSize,
      knownBytes: quota.knownBytes,
      knownFiles: quota.knownFiles,
      sizeFile,
      countedFolders: settings.maildir_quota_directory_regex ?? '^(?:cur|new|\\..*)$',
      markFolder: matchesPath(settings.maildirfolder_create_regex, path),
      retries: settings.maildir_retries,
    },
  }
}

function matchesPath(pattern: string | undefined, path: string): boolean {
  if (pattern === undefined) return false
  const regex = compileRegex(pattern)
  const found = 'error' in regex ? undefined : regex.match(path)
  return found !== undefined && !('error' in found)
}

/** Source: observed of Exim 4.96. */
function malformed(
  value: ByteString,
  option: Expandable | undefined,
  transport: string,
): ReturnType<typeof refuse> {
  return refuse(`Malformed value "${value}" (expansion of "${option?.text ?? ''}") in ${transport} transport`)
}

/** A number that concerns the size of the mailbox, or what is wrong with it. */
async function limitOf(
  name: 'mailbox_size' | 'mailbox_filecount',
  batch: Batch,
  context: Context,
  fallback: number,
): Promise<number | { outcome: ReturnType<typeof deferral> }> {
  const option = settingsOf(batch.transport)[name]
  const transport = batch.transport.name
  const value = await expandedBytes(option, context)
  if (value === undefined) return fallback
  if (isFailure(value))
    return refuse(`Expansion of "${option?.text ?? ''}" in ${transport} transport failed: ${value.message}`)
  if (value === '') return 0
  const number = value.trim().startsWith('-') ? readInteger(value.trim()) : readQuota(value)?.most
  if (number !== undefined) return number
  return malformed(value, option, transport)
}

/** `mailbox_size` and `mailbox_filecount`: what the mailbox holds, known from elsewhere. */
async function knownSize(
  batch: Batch,
  context: Context,
): Promise<
  | { readonly knownBytes: number | undefined; readonly knownFiles: number | undefined }
  | { outcome: ReturnType<typeof deferral> }
> {
  const bytes = await limitOf('mailbox_size', batch, context, -1)
  if (typeof bytes !== 'number') return bytes
  const files = await limitOf('mailbox_filecount', batch, context, -1)
  if (typeof files !== 'number') return files
  return { knownBytes: bytes < 0 ? undefined : bytes, knownFiles: files < 0 ? undefined : files }
}

async function mailstoreJob(
  directory: string,
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
  quota: FolderQuota,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const common = await commonOf(settings, frame, context, batch, true)
  if ('outcome' in common) return common
  const name = `${context.message?.id ?? ''}-${process.pid.toString(36)}${clock.next(context.ports.now()).toString(36)}`
  const texts: string[] = []
  const inner = { ...context, variables: new Map(context.variables).set('mailstore_basename', name) }
  for (const option of ['mailstore_prefix', 'mailstore_suffix'] as const) {
    const value = await expandedBytes(settings[option], inner)
    if (isFailure(value) && value.kind !== 'forced') {
      return refuse(
        `Expansion of "${settings[option]?.text ?? ''}" (${option.replace('_', ' ')} for ${batch.transport.name} transport) failed: ${value.message}`,
      )
    }
    const text = value === undefined || isFailure(value) ? '' : value
    texts.push(text === '' || text.endsWith('\n') ? text : `${text}\n`)
  }
  const recipients = batch.addresses.map((routed) => `${rcptAddress(routed, settings)}\n`)
  return {
    job: {
      ...common,
      ...quota,
      kind: 'mailstore',
      directory: directory.replace(/\/+$/, ''),
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: settings.mode,
      name,
      envelope: `${texts[0] ?? ''}${context.message?.sender ?? batch.returnPath}\n${recipients.join('')}${texts[1] ?? ''}`,
    },
  }
}

/** Stands for the inode in names until the file is there. */
const inodeMark = 7_770_001_000_777

async function folderJob(
  directory: string,
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
  quota: FolderQuota,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const common = await commonOf(settings, frame, context, batch, true)
  if ('outcome' in common) return common
  const delivery = context.delivery ?? { routerName: '', transportName: batch.transport.name }
  const name = await context.ports.expand(settings.directory_file, {
    ...context,
    delivery: { ...delivery, inode: inodeMark },
  })
  // What came from outside may stand in it, as with Exim, but cannot lead elsewhere.
  if (isFailure(name) || textOf(name).includes('/')) {
    const why = isFailure(name) ? name.message : 'it holds a slash'
    const text = `Expansion of "${settings.directory_file.text}" (directory_file for ${batch.transport.name} transport) failed: ${why}`
    return { outcome: deferral(text, 0) }
  }
  return {
    job: {
      ...common,
      ...quota,
      kind: 'folder',
      directory: directory.replace(/\/+$/, ''),
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: batch.addresses[0]?.fileMode ?? settings.mode,
      temporaryName: `temp.${maildirName(clock.next(context.ports.now()), process.pid, context.server.primaryHostname)}`,
      name: textOf(name),
      inodeMark: String(inodeMark),
    },
  }
}

async function mboxJob(
  file: string,
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
  quota: FolderQuota,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const common = await commonOf(settings, frame, context, batch, false)
  if ('outcome' in common) return common
  const home = textOf(frame.identity.home ?? '') || undefined
  return {
    job: {
      ...common,
      kind: 'mbox',
      knownBytes: quota.knownBytes,
      file,
      mode: batch.addresses[0]?.fileMode ?? settings.mode,
      modeFailNarrower: settings.mode_fail_narrower,
      createFile: !settings.file_must_exist,
      mayCreate: mayCreate(settings.create_file, file, home),
      createDirectory: settings.create_directory && mayCreate(settings.create_file, file, home),
      directoryMode: settings.directory_mode,
      allowSymlink: settings.allow_symlink,
      allowFifo: settings.allow_fifo,
      owner: settings.check_owner ? frame.identity.uid : undefined,
      group: settings.check_group ? frame.identity.gid : undefined,
      locks: {
        lockFile: settings.use_lockfile ?? true,
        fcntl: settings.use_fcntl_lock ?? true,
        flock: settings.use_flock_lock,
        retries: settings.lock_retries,
        intervalMs: settings.lock_interval * 1000,
        waitMs: Math.max(settings.lock_fcntl_timeout, settings.lock_flock_timeout) * 1000,
        staleMs: settings.lockfile_timeout * 1000,
        lockFileMode: settings.lockfile_mode,
        uniqueName: `${hostname()}.${clock.next(context.ports.now()).toString(16)}.${process.pid.toString(16)}`,
      },
      quota: quota.quota,
      quotaUnchecked: quota.quotaUnchecked,
      quotaInclusive: quota.quotaInclusive,
      messageSize: quota.messageSize,
    },
  }
}

/**
 * `belowhome` and `inhome` allow new files only there, a path only below it. Source: Exim manual, option create_file; that it is
 * asked for folders that are there too, and `inhome` refuses all folders, was observed of Exim 4.96.
 */
function mayCreate(where: string, file: string, home: string | undefined): boolean {
  if (where === 'anywhere' || where === '') return true
  const base = (where.startsWith('/') ? where : home)?.replace(/\/+$/, '')
  if (base === undefined || file.split('/').includes('..') || !file.startsWith(`${base}/`)) return false
  return where !== 'inhome' || !file.slice(base.length + 1).includes('/')
}

/** A path that `create_file` has found to be below a folder may hold what came from outside. */
function clearsTaint(where: string, path: string, home: string | undefined): boolean {
  return where !== 'anywhere' && where !== '' && where !== 'inhome' && mayCreate(where, path, home)
}

/** What surrounds the message: an mbox has its From line and a blank line at the end unless told otherwise. */
async function commonOf(
  settings: Settings,
  frame: LocalFrame,
  context: Context,
  batch: Batch,
  isFolder: boolean,
): Promise<LocalJobCommon | { outcome: ReturnType<typeof deferral> }> {
  const prefix = await surround(settings.message_prefix, context)
  const suffix = await surround(settings.message_suffix, context)
  for (const [value, option, name] of [
    [prefix, settings.message_prefix, 'prefix'],
    [suffix, settings.message_suffix, 'suffix'],
  ] as const) {
    if (typeof value === 'object') {
      const text = `Expansion of "${option?.text ?? ''}" (${name} for ${batch.transport.name} transport) failed`
      return { outcome: deferral(text, errorNumbers.expansionFailed) }
    }
  }
  const fromLine = `From ${batch.returnPath === '' ? 'MAILER-DAEMON' : batch.returnPath} ${mboxDate(context.ports.now())}\n`
  const check = settings.check_string ?? (isFolder ? '' : 'From ')
  const around = settings.use_bsmtp
    ? bsmtpFrame(batch, {
        prefix: typeof prefix === 'string' ? prefix : '',
        suffix: typeof suffix === 'string' ? suffix : '',
        useCrlf: settings.use_crlf,
      })
    : {
        lead: typeof prefix === 'string' ? prefix : isFolder ? '' : fromLine,
        tail: typeof suffix === 'string' ? suffix : isFolder ? '' : '\n',
        escape: check === '' ? undefined : { check, put: settings.escape_string ?? '>From ' },
      }
  return {
    lead: around.lead ?? '',
    tail: around.tail,
    escape: around.escape,
    head: frame.head,
    useCrlf: settings.use_crlf,
    currentDirectory: frame.identity.currentDirectory,
    umask: 0,
    initgroups: frame.identity.initgroups,
  }
}

async function surround(
  option: Expandable | undefined,
  context: Context,
): Promise<string | undefined | Exclude<Awaited<ReturnType<typeof expandedBytes>>, string | undefined>> {
  return expandedBytes(option, context)
}

function notAbsolute(path: string): { outcome: ReturnType<typeof deferral> } {
  const message = `appendfile: file or directory name "${path}" is not absolute`
  return { outcome: deferral(message, errorNumbers.notAbsolute) }
}

function refuse(message: string): { outcome: ReturnType<typeof deferral> } {
  return { outcome: deferral(message, errorNumbers.unknown) }
}
