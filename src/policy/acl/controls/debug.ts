/**
 * `control = debug`: debugging output of this session into a file beside the logs.
 * Source: Exim manual, "ACL controls", debug.
 */
import { type Text, textOf, unquotedTaint } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { type AclCall, type ControlRow, errorOf, type Tested } from '../row.ts'

/** What is written for one session at most. */
const mostBytes = 50 << 20

interface Options {
  tag: string
  wanted: (category: string) => boolean
  stop: boolean
  kill: boolean
  pretrigger: number
  now: boolean
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
      if (options.now) active.trigger()
      return undefined
    }
    if (options.tag.includes('/')) return errorOf(`control=debug: bad tag "${options.tag}"`)
    const file = call.context.ports.log.debugFile?.(options.tag)
    if (file === undefined) return undefined
    const output = new Output(file, options.wanted, options.now ? 0 : options.pretrigger)
    call.context.connection?.extra.set('debug output', output)
    setDebug(call, (category, line) => output.line(category, line))
    return undefined
  },
}

function activeOf({ connection }: Context): Output | undefined {
  const found = connection?.extra.get('debug output')
  return found instanceof Output && !found.ended ? found : undefined
}

function setDebug(call: AclCall, write: Context['debug']): void {
  // The ACL at work sees it at once, the rest of the session from its next command on.
  Object.assign(call.context, { debug: write })
  call.context.connection?.dialogue?.setDebug(write)
}

class Output {
  readonly #file: { write(text: string): void; remove(): void }
  readonly #wanted: (category: string) => boolean
  #room: number
  #held: string[] = []
  #heldBytes = 0
  #left = mostBytes
  ended = false

  constructor(
    file: { write(text: string): void; remove(): void },
    wanted: (category: string) => boolean,
    pretrigger: number,
  ) {
    this.#file = file
    this.#wanted = wanted
    this.#room = pretrigger
  }

  line(category: string, line: string): void {
    if (this.ended || !this.#wanted(category)) return
    const text = `${line}\n`
    if (this.#room === 0) return this.#write(text)
    this.#held.push(text)
    this.#heldBytes += text.length
    while (this.#heldBytes > this.#room) this.#heldBytes -= this.#held.shift()?.length ?? this.#heldBytes
  }

  /** What was held is written, and what follows at once. */
  trigger(): void {
    this.#room = 0
    for (const text of this.#held.splice(0)) this.#write(text)
  }

  end(remove: boolean): void {
    this.ended = true
    if (remove) this.#file.remove()
  }

  #write(text: string): void {
    if (this.#left <= 0) return
    this.#left -= text.length
    this.#file.write(text)
  }
}

function readOptions(text: Text): Options | Tested {
  const options: Options = {
    tag: '',
    wanted: () => true,
    stop: false,
    kill: false,
    pretrigger: 0,
    now: false,
  }
  for (const word of textOf(text).split('/')) {
    const [, name = '', value = ''] = /^(\w*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === 'tag') {
      // A name from outside must not choose the file: Exim manual, "Tainted data".
      if (unquotedTaint(text) !== undefined && /[^\w.:-]/.test(value)) {
        return errorOf(`control=debug: tag "${value}" is not fit for a file name`)
      }
      options.tag = value
    } else if (name === 'opts') options.wanted = selection(value)
    else if (name === 'stop' || name === 'kill') options[name] = true
    else if (name === 'pretrigger') options.pretrigger = Math.min(Number(value) || 0, 1 << 20)
    else if (name === 'trigger' && value === 'now') options.now = true
    else if (name === 'trigger')
      return errorOf(`control=debug: trigger "${value}" does not work in this version`)
    // Other words are ignored, as Exim does.
  }
  return options
}

/** `+expand+acl`, `-dns`: begins with all but what is very long. */
function selection(text: string): (category: string) => boolean {
  const changes = [...text.matchAll(/([+-])(\w+)/g)].map(([, sign, name]) => ({ on: sign === '+', name }))
  const usual = !text.startsWith('+')
  return (category) => {
    let on = usual
    for (const change of changes) if (change.name === category || change.name === 'all') on = change.on
    return on
  }
}
