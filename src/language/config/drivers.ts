/** The sections of routers, transports and authenticators: instances of drivers. Source: Exim manual, "Format of driver configurations". */
import { nearest, type Report } from '../../base/diagnostic.ts'
import type { Instance } from './configuration.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import type { OptionTable } from './options/table.ts'
import { helpForOption } from './elsewhere.ts'
import type { DriverTable, Registries } from './registries.ts'
import {
  completeSettings,
  cutSetting,
  error,
  findOption,
  newSettings,
  type SettingLine,
  takeSetting,
} from './settings.ts'
import { readString } from './strings.ts'
import { aboutComment } from './values.ts'

/** Searching a name like a wrong one takes time; more wrong ones than this are not told. */
const maxUnknown = 200

export type DriverKind = 'router' | 'transport' | 'authenticator'

/** Directors and routers that Exim 4 has under another name. */
const driversOfExim3: ReadonlyMap<string, string> = new Map([
  ['aliasfile', 'redirect'],
  ['domainlist', 'manualroute'],
  ['forwardfile', 'redirect'],
  ['localuser', 'accept'],
  ['lookuphost', 'dnslookup'],
  ['smartuser', 'redirect'],
])

function isDriver({ text }: MappedText): boolean {
  return /^driver[ \t]*=/.test(text)
}

/** Lines of one instance, gathered before any is read: the driver decides which options there are. */
interface Draft {
  readonly name: string
  readonly header: MappedText
  /** What stands behind the name, where nothing may. */
  readonly behind?: MappedText
  readonly lines: MappedText[]
}

/** An option behind the name has been told; it is read, or what it says would be missed. */
function linesOf({ behind, lines }: Draft): readonly MappedText[] {
  const name = behind === undefined ? undefined : /^\w+(?=[ \t]*=)/.exec(behind.text)?.[0]
  if (behind === undefined || name === undefined) return lines
  return lines.some(({ text }) => /^\w+/.exec(text)?.[0] === name) ? lines : [behind, ...lines]
}

export class DriverSection {
  readonly #kind: DriverKind
  readonly #generic: OptionTable
  readonly #drivers: DriverTable
  readonly #registries: Registries
  readonly #report: Report
  readonly #drafts: Draft[] = []
  #open: Draft | undefined
  #complained = false
  #unknowns = 0
  /** `KIND.option` or `KIND.DRIVER.option` for each option written with `hide`. */
  readonly hidden = new Set<string>()

  constructor(kind: DriverKind, generic: OptionTable, registries: Registries, report: Report) {
    this.#kind = kind
    this.#generic = generic
    this.#drivers = registries[`${kind}s`]
    this.#registries = registries
    this.#report = report
  }

  /** Names of all instances in the file, also of those that could not be read. */
  names(): string[] {
    return this.#drafts.map((draft) => draft.name)
  }

  /** Ends the instance: a macro has been defined, which is done between instances only. */
  close(): void {
    this.#open = undefined
  }

  take(line: MappedText): void {
    const match = /^([A-Za-z][A-Za-z0-9_]*)[ \t]*:/.exec(line.text)
    const name = match?.[1]
    if (match !== null && name !== undefined) {
      const rest = skipSpace(line.text, match[0].length)
      if (rest < line.text.length) {
        const help = 'the options of an instance begin on the next line'
        error(
          this.#report,
          'instance-extra',
          `extra characters follow driver name ${name}${aboutComment(line.text, rest)}`,
          line.span(rest),
          help,
        )
      }
      const header = line.slice(0, name.length)
      const before = this.#drafts.find((draft) => draft.name === name)
      if (before !== undefined) {
        this.#report({
          code: 'instance-name-twice',
          severity: 'error',
          fatal: true,
          message: `there are two ${this.#kind}s called "${name}"`,
          at: header.span(),
          help: 'give one of them another name',
          also: [{ at: before.header.span(), says: 'the first one' }],
        })
      }
      this.#open = { name, header, behind: line.slice(rest), lines: [] }
      this.#drafts.push(this.#open)
      this.#complained = false
      return
    }
    if (this.#open !== undefined) {
      this.#open.lines.push(line)
      this.#unnamed(this.#open, line)
      return
    }
    // One word about it is enough, however many lines follow.
    if (this.#complained) return
    this.#complained = true
    const help = `a ${this.#kind} begins with a line "name:"`
    error(this.#report, 'instance-name-missing', `${this.#kind} name missing`, line.span(), help)
  }

  /** A second `driver` begins another instance, whose name is the word before it and lacks its colon, or is none. */
  #unnamed(open: Draft, line: MappedText): void {
    const { lines } = open
    const before = lines.at(-2)
    const isName = /^[\w.-]+(?:[ \t][\w .-]*:|:?)$/.test(before?.text ?? '')
    if (before === undefined || !isName || !isDriver(line) || !lines.slice(0, -2).some(isDriver)) return
    const word = /^\w*/.exec(before.text)?.[0] ?? ''
    // A switch, such as no_more: then it is the line with the name that is missing.
    const known = [this.#generic, ...Object.values(this.#drivers).map(({ options }) => options)]
    if (findOption(word, known) !== undefined) return
    lines.splice(-2)
    const help = /^\w+$/.test(before.text)
      ? `a colon ends the name of a ${this.#kind}: "${word}:"`
      : `the name of a ${this.#kind} consists of letters, digits and underscores`
    error(this.#report, 'option-unknown', `option "${word}" unknown`, before.span(), help)
    this.#open = { name: word, header: before, lines: [line] }
    this.#drafts.push(this.#open)
  }

  /** Reads what was gathered. */
  finish(): Instance<object>[] {
    return this.#drafts.flatMap((draft) => this.#instance(draft) ?? [])
  }

  #instance(draft: Draft): Instance<object> | undefined {
    const settings = linesOf(draft).flatMap((line) => cutSetting(line, this.#report) ?? [])
    const driver = this.#driverOf(draft, settings)
    const privateOptions = driver === undefined ? undefined : this.#drivers[driver]?.options
    const tables = privateOptions === undefined ? [this.#generic] : [this.#generic, privateOptions]
    const read = newSettings()
    let driverSeen = false
    const named = settings.some((setting) => setting.name === 'driver')
    const strays: SettingLine[] = []
    for (const setting of settings) {
      if (setting.name === 'driver') driverSeen = true
      const found = findOption(setting.name, tables)
      if (found === undefined) {
        // The options of a driver that is unknown, or not named, cannot be judged.
        if (privateOptions !== undefined || (named && !driverSeen)) this.#unknown(setting, tables, driverSeen)
        else if (!named) strays.push(setting)
        continue
      }
      if (!driverSeen && findOption(setting.name, [this.#generic]) === undefined)
        this.#unknown(setting, tables, false)
      takeSetting(setting, found, read, this.#report)
    }
    if (!named) this.#noDriver(draft, strays)
    for (const name of read.hidden) {
      const owner = Object.hasOwn(this.#generic, name) ? this.#kind : `${this.#kind}.${driver ?? ''}`
      this.hidden.add(`${owner}.${name}`)
    }
    if (driver === undefined) return undefined
    return {
      name: draft.name,
      driver,
      at: draft.header.span(),
      settings: completeSettings(read, tables),
      setAt: read.setAt,
    }
  }

  /** The driver an instance names, when there is such a driver. */
  #driverOf(draft: Draft, settings: readonly SettingLine[]): string | undefined {
    const setting = settings.find((s) => s.name === 'driver')
    if (setting === undefined) return undefined
    const { line, name, nameEnd } = setting
    const equals = skipSpace(line.text, nameEnd)
    if (line.text[equals] !== '=') return undefined
    const text = readString({ line, start: skipSpace(line.text, equals + 1), name })
    // What is wrong with it is told where all values are read.
    if ('fault' in text) return undefined
    const value = text.text
    if (Object.hasOwn(this.#drivers, value)) return value
    const help = this.#helpForDriver(value)
    const message = `${this.#kind} ${draft.name}: cannot find ${this.#kind} driver "${value}"`
    const at = value === '' ? line.span(equals) : text.span()
    error(this.#report, 'driver-unknown', message, at, help)
    return undefined
  }

  #helpForDriver(value: string): string {
    const names = Object.keys(this.#drivers)
    const other = (['router', 'transport', 'authenticator'] as const).find((kind) =>
      Object.hasOwn(this.#registries[`${kind}s`], value),
    )
    const newer = this.#kind === 'router' ? driversOfExim3.get(value) : undefined
    const near = nearest(value, names)
    if (newer !== undefined) return `this was a driver of Exim 3: use "${newer}"`
    if (near !== undefined) return `did you mean "${near}"?`
    const known = `known are ${names.join(', ')}`
    return other === undefined ? known : `${value} is a driver of ${other}s; ${known}`
  }

  /** One word for an instance without a driver; `driver` may just be misspelt. */
  #noDriver(draft: Draft, strays: readonly SettingLine[]): void {
    const misspelt = strays.find((setting) => nearest(setting.name, ['driver']) !== undefined) ?? strays[0]
    if (misspelt !== undefined) {
      this.#unknown(misspelt, [this.#generic], false)
      return
    }
    const help = `add "driver = ..." with one of ${Object.keys(this.#drivers).join(', ')}`
    const message = `no driver defined for ${this.#kind} "${draft.name}"`
    error(this.#report, 'driver-missing', message, draft.header.span(), help)
  }

  #unknown(setting: SettingLine, tables: readonly OptionTable[], driverSeen: boolean): void {
    this.#unknowns++
    if (this.#unknowns > maxUnknown) return
    const { line, name, nameStart, nameEnd } = setting
    const hint = driverSeen ? '' : ' ("driver" must be specified before any private options)'
    const first =
      nearest(name, ['driver']) === undefined ? 'put the line "driver = ..." first' : 'did you mean "driver"?'
    const help = driverSeen ? helpForOption(setting, tables, this.#registries) : first
    error(
      this.#report,
      'option-unknown',
      `option "${name}" unknown${hint}`,
      line.span(nameStart, nameEnd),
      help,
    )
  }
}
