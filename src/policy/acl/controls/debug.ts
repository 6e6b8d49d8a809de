/**
 * `control = debug`: debugging output of this session, and of the deliveries of its messages, into a file beside the
 * logs. Source: Exim manual, "ACL controls", debug.
 */
import { isDebugged, readDebugSelector } from '../../../base/debug-selector.ts'
import { type Text, textOf, unquotedTaint } from '../../../base/text.ts'
import type { Context, DebugFile, Ports } from '../../../ports.ts'
import { type AclCall, type ControlRow, errorOf, type Tested } from '../row.ts'

/** What is written for one session at most. */
const mostBytes = 50 << 20
/** What is held back before a trigger at most. */
const mostHeldBytes = 1 << 20

/** What of it a message takes along into the queue. */
export interface DebugLogging {
  readonly tag: string
  /** As after `-d`. */
  readonly opts: string
}

interface Options extends DebugLogging {
  readonly wanted: ReadonlySet<string>
  readonly stop: boolean
  readonly kill: boolean
  readonly pretrigger: number | undefined
  readonly trigger: 'now' | 'paniclog' | undefined
}

export const debug: ControlRow = {
  name: 'debug',
  doc: 'Writes debugging output of this session to a file of its own.',
  since: '0.1',
  tier: 'A',
  phases: 'all',
  takesOptions: true,
  apply(call, text) {
    const options = readOptions(text)
    if ('is' in options) return options
    const active = activeOf(call.context)
    if (options.stop || options.kill) {
      active?.end(options.kill)
      setDebug(call, undefined)
      return undefined
    }
    if (active !== undefined) {
      active.change(options)
      return undefined
    }
    // Alone it has nothing to release.
    if (options.trigger === 'now' && onlyTriggers(text)) return undefined
    if (options.tag.includes('/')) return errorOf(`control=debug: bad tag "${options.tag}"`)
    const file = call.context.ports.log.debugFile?.(options.tag)
    if (file === undefined) return undefined
    const output = new DebugOutput(file, options)
    call.context.connection?.extra.set(outputKey, output)
    setDebug(call, output)
    return undefined
  },
}

const outputKey = 'debug output'

/** For a message that is taken now: its deliveries write on. */
export function debugLoggingOf(extra: ReadonlyMap<string, unknown> | undefined): DebugLogging | undefined {
  const found = extra?.get(outputKey)
  return found instanceof DebugOutput && !found.ended ? found.logging : undefined
}

function activeOf({ connection }: Context): DebugOutput | undefined {
  const found = connection?.extra.get(outputKey)
  return found instanceof DebugOutput && !found.ended ? found : undefined
}

function setDebug(call: AclCall, output: DebugOutput | undefined): void {
  const write: Context['debug'] =
    output === undefined ? undefined : (category, line) => output.line(category, line)
  // The ACL at work sees it at once, the rest of the session from its next command on.
  const ports: Ports | undefined = call.context.connection?.dialogue?.setDebug(write, () =>
    output?.panicked(),
  )
  Object.assign(call.context, { debug: write, ...(ports && { ports }) })
}

/** Lines into a debug file; held back until a trigger when there is room for them. */
export class DebugOutput {
  readonly logging: DebugLogging
  readonly #file: DebugFile
  readonly #wanted: ReadonlySet<string>
  #room: number
  #onPanic: boolean
  #held: string[] = []
  #heldBytes = 0
  #left = mostBytes
  ended = false

  constructor(file: DebugFile, options: Options) {
    this.logging = { tag: options.tag, opts: options.opts }
    this.#file = file
    this.#wanted = options.wanted
    this.#room = options.trigger === 'now' ? 0 : (options.pretrigger ?? 0)
    this.#onPanic = options.trigger === 'paniclog'
  }

  line(category: string, line: string): void {
    if (this.ended || !isDebugged(category, this.#wanted)) return
    const text = `${line}\n`
    if (this.#room === 0) return this.#write(text)
    this.#held.push(text)
    this.#heldBytes += text.length
    while (this.#heldBytes > this.#room) this.#heldBytes -= this.#held.shift()?.length ?? this.#heldBytes
  }

  /** The control was met again. */
  change({ pretrigger, trigger }: Options): void {
    if (pretrigger !== undefined) this.#room = pretrigger
    if (trigger === 'paniclog') this.#onPanic = true
    if (trigger === 'now' || this.#room === 0) this.#release()
  }

  /** The session has written to the panic log. */
  panicked(): void {
    if (this.#onPanic && !this.ended) this.#release()
  }

  end(remove: boolean): void {
    this.ended = true
    this.#held = []
    if (remove) this.#file.remove()
  }

  /** What was held is written, and what follows at once. */
  #release(): void {
    this.#room = 0
    this.#heldBytes = 0
    for (const text of this.#held.splice(0)) this.#write(text)
  }

  #write(text: string): void {
    if (this.#left <= 0) return
    this.#left -= text.length
    this.#file.write(text)
  }
}

function onlyTriggers(text: Text): boolean {
  return textOf(text)
    .split('/')
    .every((word) => word.startsWith('trigger='))
}

function readOptions(text: Text): Options | Tested {
  let tag = ''
  let opts = ''
  let stop = false
  let kill = false
  let pretrigger: number | undefined
  let trigger: Options['trigger']
  for (const word of textOf(text).split('/')) {
    const [, name = '', value = ''] = /^(\w*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === 'tag') {
      // A name from outside must not choose the file: Exim manual, "Tainted data".
      if (unquotedTaint(text) !== undefined && /[^\w.:-]/.test(value)) {
        return errorOf(`control=debug: tag "${value}" is not fit for a file name`)
      }
      tag = value
    } else if (name === 'opts') opts = value
    else if (name === 'stop') stop = true
    else if (name === 'kill') kill = true
    else if (name === 'pretrigger') pretrigger = Math.min(Number(value) || 0, mostHeldBytes)
    else if (name === 'trigger' && (value === 'now' || value === 'paniclog')) trigger = value
    // Other words are ignored, as Exim does.
  }
  const wanted = debugSelection(opts)
  return { tag, opts, wanted, stop, kill, pretrigger, trigger }
}

/** `+expand+acl`, `-dns`. Words that say nothing leave what `-d` alone shows. */
export function debugSelection(opts: string): ReadonlySet<string> {
  const read = readDebugSelector(opts, opts.startsWith('+') ? 'none' : 'default')
  if (read.is === 'selection') return read.on
  const usual = readDebugSelector('')
  return usual.is === 'selection' ? usual.on : new Set()
}
