/** The pipe transport: to the standard input of a command. Source: Exim manual, "The pipe transport". */
import { Failure, isFailure } from '../../../base/outcome.ts'
import { type ByteString, isTainted, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { contextOfUser } from '../../foreign-expansion.ts'
import type { FilterScope, RoutedAddress } from '../../routed.ts'
import { commandArguments, splitCommand } from '../../command-line.ts'
import { mboxDate } from '../date.ts'
import { expandedBytes } from '../expanding.ts'
import { type AddressOutcome, errorNumbers, type TransportResult } from '../results.ts'
import { batchLimits } from './batching.ts'
import { bsmtpFrame } from './bsmtp.ts'
import { findCommand } from './find-command.ts'
import type { Batch, TransportDriver } from './driver.ts'
import { deferral, type JobOrOutcome, type LocalFrame, runLocal } from './local.ts'
import { pipeOptions, type PipeSettings } from './pipe.options.ts'

type Settings = TransportInstance<PipeSettings>['settings']

export const pipe: TransportDriver = {
  name: 'pipe',
  doc: 'Runs a command with the message on its standard input.',
  options: pipeOptions,
  local: true,
  check: () => {},
  limits: (routed, context) => {
    const { batch_max, batch_id } = settingsOf(routed.transport)
    return batchLimits(routed, context, batch_max, batch_id)
  },
  async run(batch, context, environment) {
    const result = await runLocal(batch, context, environment, (frame, inner) => prepare(batch, frame, inner))
    return judgeOutput(result, batch, context)
  },
}

/** The driver of the instance is pipe, so its settings were read through that table. */
function settingsOf(instance: TransportInstance): Settings {
  return (instance as TransportInstance<PipeSettings>).settings
}

async function prepare(batch: Batch, frame: LocalFrame, context: Context): Promise<JobOrOutcome> {
  const settings = settingsOf(batch.transport)
  // runLocal has seen to it that there is an address.
  const first = batch.addresses[0] as RoutedAddress
  const path = await expandedBytes(settings.path, context)
  if (isFailure(path))
    return refuse(
      `Expansion of "${settings.path.text}" (path for ${batch.transport.name} transport) failed: ${path.message}`,
    )
  const command = await commandOf(
    first,
    batch,
    settings,
    context,
    path ?? '/bin:/usr/bin',
    frame.identity.uid,
  )
  if ('outcome' in command) return command
  context.debug?.('exec', `exec ${command.argv.join(' ')}`)
  const environment = await environmentOf(first, batch, frame, settings, context, path ?? '/bin:/usr/bin')
  if ('outcome' in environment) return environment
  const prefix = await expandedBytes(settings.message_prefix, context)
  const suffix = await expandedBytes(settings.message_suffix, context)
  if (isFailure(prefix)) {
    const text = settings.message_prefix?.text ?? ''
    return refuse(
      `Expansion of "${text}" (prefix for ${batch.transport.name} transport) failed: ${prefix.message}`,
    )
  }
  if (isFailure(suffix)) {
    const text = settings.message_suffix?.text ?? ''
    return refuse(
      `Expansion of "${text}" (suffix for ${batch.transport.name} transport) failed: ${suffix.message}`,
    )
  }
  const fromLine = `From ${batch.returnPath === '' ? 'MAILER-DAEMON' : batch.returnPath} ${mboxDate(context.ports.now())}\n`
  const check = settings.check_string
  const around = settings.use_bsmtp
    ? bsmtpFrame(batch, { prefix: prefix ?? '', suffix: suffix ?? '', useCrlf: settings.use_crlf })
    : {
        lead: prefix ?? fromLine,
        tail: suffix ?? '\n',
        escape:
          check === undefined || settings.escape_string === undefined
            ? undefined
            : { check, put: settings.escape_string },
      }
  return {
    job: {
      ...around,
      kind: 'pipe',
      head: frame.head,
      useCrlf: settings.use_crlf,
      currentDirectory: frame.identity.currentDirectory,
      umask: settings.umask,
      initgroups: frame.identity.initgroups,
      argv: command.argv,
      environment: environment.values,
      timeoutMs: settings.timeout * 1000,
      maxOutputBytes: settings.max_output,
      transportName: batch.transport.name,
      commandText: first.special === 'pipe' ? first.address.slice(1) : (settings.command?.text ?? ''),
      ignoreStatus: settings.ignore_status,
      temporaryCodes: settings.temp_errors,
      timeoutDefer: settings.timeout_defer,
      freezeExecFail: settings.freeze_exec_fail,
      freezeSignal: settings.freeze_signal,
    },
  }
}

/** The command of a redirection, or that of the transport; through a shell or not. */
async function commandOf(
  first: RoutedAddress,
  batch: Batch,
  settings: Settings,
  outer: Context,
  path: string,
  uid: number,
): Promise<{ readonly argv: readonly ByteString[] } | { outcome: AddressOutcome }> {
  const name = batch.transport.name
  const fromRedirection = first.special === 'pipe'
  // What a filter set up is expanded, with the values of the filter: Exim manual, "The pipe command".
  const context = first.scope === undefined ? outer : inScope(first.scope, outer, uid)
  const own = settings.command
  if (!fromRedirection && own === undefined) return refuse(`no command specified for ${name} transport`)
  const useOwn = own !== undefined && (!fromRedirection || settings.force_command)
  const text = (useOwn ? own.text : first.address.slice(1)).trim()
  if (settings.use_shell) {
    const line = useOwn
      ? await expandedBytes(own, context)
      : first.scope === undefined
        ? text
        : await expandedText(text, context)
    if (isFailure(line))
      return refuse(`Expansion of command "${text}" in ${name} transport failed: ${line.message}`)
    if (useOwn) {
      const value = await context.ports.expand(own, context)
      if (!isFailure(value) && isTainted(value)) {
        // Differs from Exim, which hands it to the shell: a stranger would choose what is run.
        return refuse(`Tainted command for ${name} transport: '${textOf(value)}'`)
      }
    }
    return { argv: ['/bin/sh', '-c', line ?? text] }
  }
  const split = await commandArguments(
    {
      text,
      expand: useOwn || first.scope !== undefined,
      addresses: batch.addresses.map((one) => one.address),
      pipeArguments: fromRedirection ? pipeArguments(first.address.slice(1)) : undefined,
      by: `${name} transport`,
    },
    context,
  )
  if ('is' in split) return split.is === 'failed' ? failure(split.message) : refuse(split.message)
  const [command, ...rest] = split.argv
  if (command === undefined) return refuse(`no command specified for ${name} transport`)
  const found = await findCommand(command, settings, path, name, context)
  if ('path' in found) return { argv: [found.path, ...rest] }
  return found.deferred === true ? refuse(found.message) : failure(found.message)
}

function inScope(scope: FilterScope, outer: Context, uid: number): Context {
  const bound = new Map([...(outer.bound ?? []), ...scope.bound])
  return contextOfUser({ ...outer, captures: [...scope.captures], bound, forbidden: scope.forbidden }, uid)
}

/** For a shell: nothing from outside may become part of it. */
async function expandedText(text: ByteString, context: Context): Promise<ByteString | Failure> {
  const value = await context.ports.expandText(text, context)
  if (isFailure(value) || !isTainted(value)) return value
  return new Failure('failure', `Tainted command: '${textOf(value)}'`)
}

function pipeArguments(text: ByteString): readonly ByteString[] {
  const words = splitCommand(text)
  return typeof words === 'string' ? [] : words
}

async function environmentOf(
  first: RoutedAddress,
  batch: Batch,
  frame: LocalFrame,
  settings: Settings,
  context: Context,
  path: string,
): Promise<{ readonly values: Record<string, ByteString> } | { outcome: AddressOutcome }> {
  const { facts } = first
  // Of a redirection to a pipe the local part is that of the address that was expanded.
  const localPart = facts.localPart
  const values: Record<string, ByteString> = {
    LOCAL_PART: localPart,
    LOGNAME: localPart,
    USER: localPart,
    LOCAL_PART_PREFIX: facts.prefix ?? '',
    LOCAL_PART_SUFFIX: facts.suffix ?? '',
    DOMAIN: facts.domain,
    HOME: textOf(frame.identity.home ?? ''),
    MESSAGE_ID: context.message?.id ?? '',
    PATH: path,
    // In lower case, unless the router minds it: observed of Exim 4.96.
    RECIPIENT: `${first.special === undefined ? (facts.prefix ?? '') : ''}${localPart}${first.special === undefined ? (facts.suffix ?? '') : ''}@${facts.domain}`,
    QUALIFY_DOMAIN: context.server.qualifyDomain,
    SENDER: batch.returnPath,
    SHELL: '/bin/sh',
  }
  const host = first.hosts[0]?.name
  if (host !== undefined) values.HOST = host
  if (context.settings.timezone !== undefined) values.TZ = context.settings.timezone
  if (settings.environment === undefined) return { values }
  const list = await context.ports.expand(settings.environment, context)
  if (isFailure(list)) {
    return refuse(
      `failed to expand string "${settings.environment.text}" for ${batch.transport.name} transport: ${list.message}`,
    )
  }
  for (const item of context.ports.splitList(list)) {
    const text = textOf(item)
    const equals = text.indexOf('=')
    if (equals > 0) values[text.slice(0, equals)] = text.slice(equals + 1)
  }
  return { values }
}

/** What the command said: logged, sent back, or both, as the options have it. */
function judgeOutput(result: TransportResult, batch: Batch, context: Context): TransportResult {
  const settings = settingsOf(batch.transport)
  const [one] = result.addresses
  const output = one === undefined ? undefined : one.outcome.returnedOutput
  if (one === undefined || output === undefined || output === '') return result
  const { is } = one.outcome
  const logged =
    settings.log_output ||
    (settings.log_fail_output && is === 'failed') ||
    (settings.log_defer_output && is === 'deferred')
  if (logged) {
    const line = output.split('\n', 1)[0]?.trimEnd() ?? ''
    context.ports.log.main(
      context.message?.id,
      `<${one.routed.address}>: ${batch.transport.name} transport output: ${line}`,
    )
  }
  // With return_output any output makes it a failure, whatever the exit code was.
  const returned = settings.return_output || (settings.return_fail_output && is === 'failed')
  return {
    hosts: result.hosts,
    addresses: result.addresses.map((address) => ({
      ...address,
      outcome: settings.return_output
        ? asFailure(address.outcome, output)
        : { ...address.outcome, returnedOutput: returned ? output : undefined },
    })),
  }
}

function asFailure(outcome: AddressOutcome, output: ByteString): AddressOutcome {
  const error =
    outcome.is === 'delivered' ? { errno: 0, more: 0, message: 'return message generated' } : outcome.error
  return {
    is: 'failed',
    error,
    returnedOutput: output,
    bounceText: outcome.is === 'delivered' ? '' : 'local delivery failed',
  }
}

function refuse(message: string): { outcome: AddressOutcome } {
  return { outcome: deferral(message, 0) }
}

function failure(message: string): { outcome: AddressOutcome } {
  return {
    outcome: {
      is: 'failed',
      error: { errno: errorNumbers.unknown, more: 0, message },
      // What is wrong with a command is no business of the sender: observed of Exim 4.96.
      bounceText: '',
    },
  }
}
