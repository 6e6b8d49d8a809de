/** The appendfile transport: into a mailbox file or a maildir. Source: Exim manual, "The appendfile transport". */
import { hostname } from 'node:os'
import { isFailure } from '../../../base/outcome.ts'
import { isTainted, textOf } from '../../../base/text.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { mboxDate } from '../date.ts'
import { expanded, expandedBytes, expandedInteger } from '../expanding.ts'
import type { LocalJobCommon } from '../local-job.ts'
import { maildirName } from '../local/maildir.ts'
import { errorNumbers, type TransportResult } from '../results.ts'
import type { UniqueClock } from '../unique-clock.ts'
import { appendfileOptions, type AppendfileSettings } from './appendfile.options.ts'
import { batchLimits } from './batching.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './driver.ts'
import { thresholdOf, warnOfSize } from './quota-warning.ts'
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
  if (settings.file !== undefined && settings.directory !== undefined) {
    return 'only one of file or directory can be set'
  }
  if (settings.maildir_format && settings.mailstore_format) {
    return 'only one of maildir and mailstore may be specified'
  }
  if (settings.mbx_format) return 'mbx_format does not work yet'
  if (settings.mailstore_format) return 'mailstore_format does not work yet'
  if (settings.use_bsmtp) return 'use_bsmtp does not work yet'
  if (!['anywhere', 'belowhome', 'inhome'].includes(settings.create_file)) {
    return `invalid value given for "create_file" for the transport: '${settings.create_file}'`
  }
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
  return runLocal(
    batch,
    context,
    environment,
    (frame, inner) => prepare(batch, frame, inner, environment.clock),
    (result, inner) => warnOfSize(result, settingsOf(batch.transport), inner, environment),
  )
}

async function prepare(
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const target = await targetOf(batch, settings, context)
  if ('outcome' in target) return target
  const quota = await expandedInteger(settings.quota, context, 0)
  if (isFailure(quota))
    return refuse(`Expansion of quota in ${batch.transport.name} transport failed: ${quota.message}`)
  if (target.isFolder && !settings.maildir_format) return folderJob(target.path, batch, frame, context, clock)
  return target.isFolder
    ? maildirJob(target.path, batch, frame, context, clock, quota)
    : mboxJob(target.path, batch, frame, context, clock, quota)
}

/** The path: named by the redirection, or expanded from the option; never tainted. */
async function targetOf(
  batch: Batch,
  settings: Settings,
  context: Context,
): Promise<{ readonly path: string; readonly isFolder: boolean } | { outcome: ReturnType<typeof deferral> }> {
  const [first] = batch.addresses
  const name = batch.transport.name
  const special = first?.special === 'file' || first?.special === 'directory'
  const option = settings.file ?? settings.directory
  if (special && option === undefined) {
    const path = first.address
    return { path, isFolder: first.special === 'directory' || path.endsWith('/') }
  }
  const value = await expanded(option, context)
  if (value === undefined) return refuse(`Mandatory file or directory option missing from ${name} transport`)
  if (isFailure(value)) {
    return refuse(
      `Expansion of "${option?.text ?? ''}" (file or directory name for ${name} transport) failed: ${value.message}`,
    )
  }
  if (isTainted(value)) {
    return refuse(`Tainted '${textOf(value)}' (file or directory name for ${name} transport) not permitted`)
  }
  if (!value.startsWith('/')) return refuse(`appendfile: file or directory name "${value}" is not absolute`)
  return { path: value, isFolder: settings.file === undefined }
}

async function maildirJob(
  directory: string,
  batch: Batch,
  frame: LocalFrame,
  context: Context,
  clock: UniqueClock,
  quota: number,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const tag = await expandedBytes(settings.maildir_tag, context)
  if (isFailure(tag)) {
    return refuse(
      `Expansion of "${settings.maildir_tag?.text ?? ''}" (maildir_tag for ${batch.transport.name} transport) failed: ${tag.message}`,
    )
  }
  const common = await commonOf(settings, frame, context, batch, true)
  if ('outcome' in common) return common
  const quotaDirectory = await expandedBytes(settings.quota_directory, context)
  const fileCount = await expandedInteger(settings.quota_filecount, context, 0)
  if (isFailure(quotaDirectory))
    return refuse(`Expansion of quota_directory failed: ${quotaDirectory.message}`)
  if (isFailure(fileCount)) return refuse(`Expansion of quota_filecount failed: ${fileCount.message}`)
  return {
    job: {
      ...common,
      kind: 'maildir',
      directory: directory.replace(/\/+$/, ''),
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: settings.mode,
      name: maildirName(clock.next(context.ports.now()), process.pid, context.server.primaryHostname),
      tag: tag === undefined || tag === '' ? '' : /^[A-Za-z0-9]/.test(tag) ? `:${tag}` : tag,
      measure: quota > 0 || fileCount > 0 || (await thresholdOf(settings, context)) > 0,
      quota,
      quotaFileCount: fileCount,
      quotaDirectory: quotaDirectory ?? directory,
      quotaInclusive: settings.quota_is_inclusive,
      quotaSizeRegex: settings.quota_size_regex,
      messageSize: context.message?.size ?? 0,
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
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const common = await commonOf(settings, frame, context, batch, true)
  if ('outcome' in common) return common
  const delivery = context.delivery ?? { routerName: '', transportName: batch.transport.name }
  const name = await context.ports.expand(settings.directory_file, {
    ...context,
    delivery: { ...delivery, inode: inodeMark },
  })
  if (isFailure(name) || isTainted(name) || name.includes('/')) {
    const why = isFailure(name) ? name.message : isTainted(name) ? 'it is tainted' : 'it holds a slash'
    return refuse(
      `Expansion of "${settings.directory_file.text}" (directory_file for ${batch.transport.name} transport) failed: ${why}`,
    )
  }
  return {
    job: {
      ...common,
      kind: 'folder',
      directory: directory.replace(/\/+$/, ''),
      createDirectory: settings.create_directory,
      directoryMode: settings.directory_mode,
      mode: settings.mode,
      temporaryName: `temp.${maildirName(clock.next(context.ports.now()), process.pid, context.server.primaryHostname)}`,
      name,
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
  quota: number,
): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  const common = await commonOf(settings, frame, context, batch, false)
  if ('outcome' in common) return common
  const home = frame.identity.home
  return {
    job: {
      ...common,
      kind: 'mbox',
      file,
      mode: settings.mode,
      modeFailNarrower: settings.mode_fail_narrower,
      createFile: !settings.file_must_exist && mayCreate(settings.create_file, file, home),
      createDirectory: settings.create_directory,
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
        staleMs: settings.lockfile_timeout * 1000,
        lockFileMode: settings.lockfile_mode,
        uniqueName: `${hostname()}.${clock.next(context.ports.now()).toString(16)}.${process.pid.toString(16)}`,
      },
      quota,
      quotaInclusive: settings.quota_is_inclusive,
      messageSize: context.message?.size ?? 0,
    },
  }
}

/** `belowhome` and `inhome` allow new files only there. Source: Exim manual, option create_file. */
function mayCreate(where: string, file: string, home: string | undefined): boolean {
  if (where === 'anywhere') return true
  if (home === undefined || file.split('/').includes('..')) return false
  const base = home.replace(/\/+$/, '')
  if (!file.startsWith(`${base}/`)) return false
  return where === 'belowhome' || !file.slice(base.length + 1).includes('/')
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
  for (const value of [prefix, suffix]) {
    if (typeof value === 'object') {
      return refuse(
        `Expansion of message_prefix or message_suffix for ${batch.transport.name} transport failed: ${value.message}`,
      )
    }
  }
  const fromLine = `From ${batch.returnPath === '' ? 'MAILER-DAEMON' : batch.returnPath} ${mboxDate(context.ports.now())}\n`
  const check = settings.check_string ?? (isFolder ? '' : 'From ')
  return {
    head: (typeof prefix === 'string' ? prefix : isFolder ? '' : fromLine) + frame.head,
    tail: typeof suffix === 'string' ? suffix : isFolder ? '' : '\n',
    escape: check === '' ? undefined : { check, put: settings.escape_string ?? '>From ' },
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

function refuse(message: string): { outcome: ReturnType<typeof deferral> } {
  return { outcome: deferral(message, errorNumbers.unknown) }
}
