/**
 * The log files: main, reject and panic log, and the JSON twin. A door: it writes files.
 *
 * Lines of one turn of the event loop go out in one write. A file that was renamed or removed (logrotate,
 * exicyclog) is noticed within a second and opened anew. A log that cannot be written never stops mail: the line
 * goes to the panic log, else to standard error, and the file is tried again.
 * Source: Exim manual, "Log files".
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { replaceControls, replaceControlsInLines } from '../base/control-characters.ts'
import type { ByteString } from '../base/text.ts'
import { decodeUtf8 } from '../base/text.ts'
import { readLogSelector } from '../mail/log-selectors.ts'
import { logTime } from '../mail/log-time.ts'
import type { DebugFile, Log, LogFacts, RejectOptions } from '../ports.ts'

type LogName = 'main' | 'reject' | 'panic'

export interface LogOptions {
  /** Paths, `syslog`, `stderr` or `stdout`; `%s` stands for the log's name, `%D` and `%M` for day and month. */
  readonly paths: readonly string[]
  readonly selector: string
  /** `log_ports`: which port numbers are shown; left out: all. */
  readonly ports?: readonly string[]
  /** `log_format_json`: path of the JSON twin. */
  readonly jsonPath?: string | undefined
  readonly writeRejectLog: boolean
  /** `syslog_duplication`: a line for two logs goes to syslog for each of them. */
  readonly syslogDuplication?: boolean
  /** `log_timezone`. */
  readonly timezone: boolean
  /** Times in UTC (`timezone = UTC`); otherwise the zone of the process. */
  readonly utc: boolean
  readonly pid: number
  /** The run-time user: files that root opens first must be open to the processes that write later. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  now(): number
  /** Sends a line to syslog; undefined where the host has none. */
  syslog?: ((log: LogName, text: string) => void) | undefined
}

export interface LogFiles extends Log {
  /** Writes what waits. */
  flush(): void
  /** Closes and opens all files anew at the next line. */
  reopen(): void
  close(): void
}

/** Files of `control = debug` that are open at once. */
const mostDebugFiles = 30

export function createLog(options: LogOptions): LogFiles {
  const { on, selects } = readLogSelector(options.selector, options.ports)
  const stamp = createStamp(options, on.has('millisec'))
  const pid = on.has('pid') ? `[${options.pid}] ` : ''
  const files = new Map<string, LogFile>()
  /** Of files for debugging that are open, in the order of their opening. */
  const debugNames: string[] = []
  let scheduled = false

  /** Of each log by its setting, where that names no day. */
  const undated = new Map<string, Map<LogName | 'json', LogFile>>(
    [...options.paths, options.jsonPath ?? ''].flatMap((path) =>
      isDated(path) ? [] : [[path, new Map<LogName | 'json', LogFile>()]],
    ),
  )

  function file(path: string, log: LogName | 'json'): LogFile {
    const known = undated.get(path)
    let found = known?.get(log)
    if (found !== undefined) return found
    const name = resolvePath(path, log, options)
    found = files.get(name)
    if (found === undefined) {
      // A new day's file: those of other days have no more to say.
      if (known === undefined) closeDated(path)
      found = new LogFile(name, path, options.owner, log === 'json' ? 'utf8' : 'latin1')
      files.set(name, found)
    }
    known?.set(log, found)
    return found
  }

  function closeDated(path: string): void {
    for (const [name, old] of files) {
      if (old.template !== path || name === old.template) continue
      old.flush()
      old.close()
      files.delete(name)
    }
  }

  /** @param again it goes to a log of a higher priority too: the only one syslog sees without `syslog_duplication` */
  function write(log: LogName, line: string, again: boolean): void {
    for (const path of options.paths) {
      if (path !== 'syslog') file(path, log).add(line)
      else if (!again || options.syslogDuplication !== false) options.syslog?.(log, line.replace(/\n$/, ''))
    }
    schedule()
  }

  function json(
    logs: readonly LogName[],
    id: string | undefined,
    text: ByteString,
    facts: LogFacts | undefined,
  ): void {
    if (options.jsonPath === undefined) return
    const record = {
      time: new Date(options.now()).toISOString(),
      pid: options.pid,
      logs,
      id,
      text: decodeUtf8(text),
      ...facts,
    }
    file(options.jsonPath, 'json').add(`${jsonText(record)}\n`)
    schedule()
  }

  function schedule(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  function flush(): void {
    scheduled = false
    for (const each of files.values()) each.flush()
  }

  function line(id: string | undefined, text: ByteString): string {
    return `${stamp()} ${pid}${id === undefined || id === '' ? '' : `${id} `}${clean(text)}\n`
  }

  function debugFile(tag: string): DebugFile | undefined {
    const template = options.paths.find((path) => path.startsWith('/'))
    if (template === undefined || !/^[\w.:@+-]*$/.test(tag)) return undefined
    const name = `${resolvePath(template, 'debug', options)}${tag}`
    const open = (): LogFile => {
      const known = files.get(name)
      if (known !== undefined) return known
      // Tags may come from clients: those who have written longest ago are opened again when they write.
      for (const old of debugNames.splice(0, debugNames.length - mostDebugFiles + 1)) close(old)
      debugNames.push(name)
      const made = new LogFile(name, name, options.owner, 'latin1')
      files.set(name, made)
      return made
    }
    return {
      write(text) {
        open().add(`${stamp()} ${options.pid} ${text}`)
        schedule()
      },
      remove() {
        close(name)
        rmSync(name, { force: true })
      },
    }
  }

  function close(name: string): void {
    const known = files.get(name)
    known?.flush()
    known?.close()
    files.delete(name)
  }

  return {
    debugFile,
    selects,
    takesFacts: options.jsonPath !== undefined,
    main(id, text, facts) {
      write('main', line(id, text), false)
      json(['main'], id, text, facts)
    },
    reject(id: string | undefined, text: ByteString, how: RejectOptions = {}) {
      const whole = line(id, text)
      const logs: LogName[] = []
      if (how.main !== false) logs.push('main')
      if (how.reject !== false && options.writeRejectLog) logs.push('reject')
      if (how.panic === true) logs.push('panic')
      for (const log of logs) {
        write(
          log,
          log === 'reject'
            ? whole + (how.detail ?? []).map((each) => `${cleanDetail(each)}\n`).join('')
            : whole,
          log !== logs.at(-1),
        )
      }
      json(logs, id, text, how.facts)
    },
    panic(id, text, facts) {
      const whole = line(id, text)
      write('main', whole, true)
      write('panic', whole, false)
      json(['main', 'panic'], id, text, facts)
    },
    flush,
    reopen() {
      for (const each of files.values()) {
        each.flush()
        each.close()
      }
    },
    close() {
      flush()
      for (const each of files.values()) each.close()
      files.clear()
      for (const known of undated.values()) known.clear()
    },
  }
}

/** Of a time stamp: where its seconds end. */
const secondsEnd = '2026-11-24 02:40:06'.length

/** `2026-11-24 02:40:06`, with `.466` and ` +0100` where asked for; the seconds are formatted once a second. */
function createStamp(options: LogOptions, milliseconds: boolean): () => string {
  const settings = { timezone: options.utc ? 'UTC' : undefined, log_timezone: options.timezone }
  let second = Number.NaN
  let stamp = ''
  return () => {
    const now = options.now()
    const thisSecond = Math.floor(now / 1000)
    if (thisSecond !== second) {
      second = thisSecond
      stamp = logTime(now, settings, false)
    }
    if (!milliseconds) return stamp
    const fraction = String((now % 1000) | 0).padStart(3, '0')
    return `${stamp.slice(0, secondsEnd)}.${fraction}${stamp.slice(secondsEnd)}`
  }
}

function isDated(path: string): boolean {
  return /%[DM]/.test(path)
}

/** The file that a path of the setting stands for now. */
export function resolvePath(
  path: string,
  log: LogName | 'json' | 'debug',
  options: Pick<LogOptions, 'utc' | 'now'>,
): string {
  if (path === 'stderr') return '/dev/stderr'
  if (path === 'stdout') return '/dev/stdout'
  let name = path.includes('%s') ? path.replace('%s', log) : path
  if (isDated(name)) {
    const now = options.now()
    const offset = options.utc ? 0 : -new Date(now).getTimezoneOffset()
    const day = new Date(now + offset * 60_000).toISOString().slice(0, 10).replaceAll('-', '')
    name = name.replace('%D', day).replace('%M', day.slice(0, 6))
  }
  return name
}

/** JSON escapes the controls of C0, not those above. */
function jsonText(record: unknown): string {
  return JSON.stringify(record).replace(/[\x7f-\x9f]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`)
}

/** No line end or control character from outside reaches a log: SECURITY, promise 8. */
export function clean(text: ByteString): ByteString {
  return replaceControls(text, visible)
}

/** Lines of the reject log's detail keep their own line ends, for folded headers. */
function cleanDetail(text: ByteString): ByteString {
  return replaceControlsInLines(text.replace(/\n$/, ''), visible).replace(/\n(?![ \t])/g, visible)
}

const letters: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\b': '\\b',
  '\v': '\\v',
  '\f': '\\f',
}

function visible(character: string): string {
  return letters[character] ?? `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`
}

/** How often a file is looked at for having been renamed, in milliseconds. */
const CHECK_MS = 1000
/** A log that cannot be written keeps at most this much; older lines are dropped. */
const MOST_WAITING = 1 << 20

/** Lines of one turn go out together, up to so much. */
const WRITTEN_AT_ONCE = 1 << 16

class LogFile {
  readonly path: string
  readonly template: string
  #descriptor: number | undefined
  #inode = 0
  #checkedAt = 0
  /** Lines of this turn: one text, as bytes of their own would each cost more than the line. */
  #waiting = ''
  #complained = false

  readonly #owner: LogOptions['owner']
  readonly #encoding: 'latin1' | 'utf8'

  constructor(path: string, template: string, owner: LogOptions['owner'], encoding: 'latin1' | 'utf8') {
    this.path = path
    this.template = template
    this.#owner = owner
    this.#encoding = encoding
  }

  add(line: string): void {
    this.#waiting += line
    if (this.#waiting.length >= WRITTEN_AT_ONCE && !this.#complained) this.flush()
  }

  flush(): void {
    if (this.#waiting === '') return
    const bytes = Buffer.from(this.#waiting, this.#encoding)
    try {
      const descriptor = this.#open()
      let written = 0
      while (written < bytes.length) written += writeSync(descriptor, bytes, written)
      this.#waiting = ''
      this.#complained = false
    } catch (error) {
      this.close()
      this.#fail(error instanceof Error ? error.message : String(error), bytes)
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #open(): number {
    // Opening /dev/stderr anew fails where it is a socket, as under systemd.
    if (this.path === '/dev/stderr') return 2
    if (this.path === '/dev/stdout') return 1
    const now = Date.now()
    if (this.#descriptor !== undefined && Math.abs(now - this.#checkedAt) >= CHECK_MS) {
      this.#checkedAt = now
      if (statSync(this.path, { throwIfNoEntry: false })?.ino !== this.#inode) this.close()
    }
    if (this.#descriptor === undefined) {
      this.#descriptor = openForAppending(this.path, this.#owner)
      this.#inode = fstatSync(this.#descriptor).ino
      this.#checkedAt = now
    }
    return this.#descriptor
  }

  #fail(problem: string, bytes: Buffer): void {
    if (!this.#complained) {
      this.#complained = true
      process.stderr.write(`postern: cannot write ${this.path}: ${problem}\n`)
    }
    // What could not be written waits for the disk to recover; beyond a bound it is shown and let go.
    if (this.#waiting.length > MOST_WAITING) {
      process.stderr.write(bytes)
      this.#waiting = ''
    }
  }
}

function openForAppending(path: string, owner: LogOptions['owner']): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
  const open = (): number => {
    const descriptor = openSync(path, flags, 0o640)
    if (owner !== undefined && process.getuid?.() === 0) fchownSync(descriptor, owner.uid, owner.gid)
    return descriptor
  }
  try {
    return open()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    return open()
  }
}
