/** What ETRN sets going: a queue run as `-R` makes one, or a command. Source: Exim manual, "The ETRN command". */
import { type Awaitable, isFailure } from '../base/outcome.ts'
import { type ByteString, isTainted, textOf } from '../base/text.ts'
import { splitCommand } from '../flow/command-line.ts'
import type { ReceiveServices } from '../flow/receive/services.ts'
import type { CommandRequest } from '../language/expand/doors/doors.ts'
import type { Context } from '../ports.ts'
import type { RunRequest } from './queue.ts'

export interface EtrnOptions {
  /** Runs the queue. */
  run(request: RunRequest): Promise<void>
  /** Runs a program, no shell. */
  command(request: CommandRequest): Promise<unknown>
  /** The environment of commands. */
  environment(context: Context): Readonly<Record<string, string>>
  onFault(error: unknown): void
}

/** ETRN at work at once: clients must not be able to fill the host with them. */
const mostAtOnce = 10
/** A command that does not end is ended, as Exim forgets one then. */
const commandLimitMs = 6 * 3600 * 1000
const outputLimitBytes = 16 * 1024 * 1024

type Etrn = NonNullable<ReceiveServices['etrn']>

/** The client does not wait for what it has set going. */
export function createEtrn(options: EtrnOptions): Etrn {
  const underWay = new Map<ByteString, number>()
  const begin = (argument: ByteString, work: () => Promise<unknown>): void => {
    underWay.set(argument, (underWay.get(argument) ?? 0) + 1)
    const over = (): void => {
      const left = (underWay.get(argument) ?? 1) - 1
      if (left > 0) underWay.set(argument, left)
      else underWay.delete(argument)
    }
    void work()
      .catch((error: unknown) => options.onFault(error))
      .finally(over)
  }
  return (argument, context): Awaitable<Awaited<ReturnType<Etrn>>> => {
    const { smtp_etrn_command: command, smtp_etrn_serialize: serialize } = context.settings
    if (serialize && underWay.has(argument)) {
      return { is: 'busy', text: `Already processing ${argument}` }
    }
    const atOnce = [...underWay.values()].reduce((sum, each) => sum + each, 0)
    if (atOnce >= mostAtOnce) return { is: 'busy', text: 'Unable to queue messages' }
    // -bh only shows what would happen.
    if (context.connection?.hostChecking === true) return { is: 'started', text: '' }
    if (command === undefined) {
      const wanted = argument.replace(/^#/, '')
      begin(argument, () => options.run(runFor(wanted)))
      return { is: 'started', text: '' }
    }
    return startCommand(command.text, argument, context, options, begin)
  }
}

/** As `exim -R text` runs the queue. */
function runFor(text: ByteString): RunRequest {
  const wanted = text.toLowerCase()
  return {
    force: false,
    thaw: false,
    firstOnly: false,
    localOnly: false,
    twoStage: false,
    recipient: (address) => address.toLowerCase().includes(wanted),
    described: `-R ${text}`,
  }
}

/** Split first, then each word is expanded: what a client sends stays within its word. */
async function startCommand(
  text: ByteString,
  argument: ByteString,
  context: Context,
  options: EtrnOptions,
  begin: (argument: ByteString, work: () => Promise<unknown>) => void,
): Promise<Awaited<ReturnType<Etrn>>> {
  const fail = (why: ByteString): { readonly is: 'failed'; readonly text: string } => {
    context.ports.log.panic(undefined, `failed to set up ETRN command: ${why}`)
    return { is: 'failed', text: 'Internal failure' }
  }
  const words = splitCommand(text)
  if (typeof words === 'string') return fail(words)
  const within: Context = {
    ...context,
    address: { ...context.address, localPart: '', domain: argument },
  }
  const argv: ByteString[] = []
  for (const word of words) {
    const value = await context.ports.expandText(word, within)
    if (isFailure(value)) return fail(`expansion of "${word}" failed: ${value.message}`)
    if (argv.length === 0 && isTainted(value)) return fail(`Tainted command '${textOf(value)}'`)
    // A command may be a shell: observed of Exim 4.96.
    if (isTainted(value))
      return fail(`Tainted arg ${argv.length} for ETRN processing command: '${textOf(value)}'`)
    argv.push(textOf(value))
  }
  const [program] = argv
  if (program?.startsWith('/') !== true) return fail(`"${program ?? ''}" is not an absolute path`)
  begin(argument, () =>
    options.command({
      program,
      argv: argv.slice(1),
      environment: options.environment(context),
      timeoutMs: commandLimitMs,
      outputLimitBytes,
      signal: undefined,
    }),
  )
  return { is: 'started', text: '' }
}
