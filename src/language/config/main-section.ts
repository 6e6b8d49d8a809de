/** The main section: options and named lists. Source: Exim manual, "Main configuration" and "Named lists". */
import type { Report } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { ListKind, NamedList } from './configuration.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import { helpForOption } from './elsewhere.ts'
import { mainOptions } from './options/main.ts'
import type { Registries } from './registries.ts'
import { cutSetting, error, findOption, newSettings, type SettingLine, takeSetting } from './settings.ts'
import { readString } from './strings.ts'

const listKinds: Readonly<Record<string, ListKind>> = {
  domainlist: 'domain',
  hostlist: 'host',
  addresslist: 'address',
  localpartlist: 'localpart',
}

const listWord: Readonly<Record<ListKind, string>> = {
  domain: 'domain',
  host: 'host',
  address: 'address',
  localpart: 'local part',
}

export class MainSection {
  readonly #report: Report
  readonly #registries: Registries
  readonly settings = newSettings()
  readonly lists: Readonly<Record<ListKind, Map<string, NamedList>>> = {
    domain: new Map(),
    host: new Map(),
    address: new Map(),
    localpart: new Map(),
  }

  constructor(registries: Registries, report: Report) {
    this.#registries = registries
    this.#report = report
  }

  take(line: MappedText): void {
    const setting = cutSetting(line, this.#report)
    if (setting === undefined) return
    const { name, nameStart, nameEnd } = setting
    const list = /^(domainlist|hostlist|addresslist|localpartlist)(.*)$/.exec(name)
    if (list?.[1] !== undefined) {
      this.#list(setting, list[1], list[2] ?? '')
      return
    }
    const found = findOption(name, [mainOptions])
    if (found === undefined) {
      const near = helpForOption(setting, [mainOptions], this.#registries)
      const isMacro = near.startsWith('no option') && /^[ \t]*=/.test(line.text.slice(nameEnd))
      const help = isMacro ? `${near}; the name of a macro begins with a capital letter` : near
      const at = line.span(nameStart, Math.max(nameEnd, nameStart + 1))
      error(this.#report, 'option-unknown', `main option "${name}" unknown`, at, help)
      return
    }
    takeSetting(setting, found, this.settings, this.#report)
  }

  #list(setting: SettingLine, word: string, suffix: string): void {
    const { line, nameStart, nameEnd } = setting
    const kind = listKinds[word]
    if (kind === undefined || (suffix !== '' && suffix !== '_cache')) {
      const help = `a named list begins with ${word} or ${word}_cache`
      error(
        this.#report,
        'line-unrecognized',
        'unrecognized configuration line',
        line.span(nameStart, nameEnd),
        help,
      )
      return
    }
    const start = skipSpace(line.text, nameEnd)
    const name = /^[A-Za-z0-9_]*/.exec(line.text.slice(start))?.[0] ?? ''
    const at = line.span(start, start + Math.max(1, name.length))
    const equals = skipSpace(line.text, start + name.length)
    if (line.text[equals] !== '=') {
      const help = `write ${word} name = items`
      error(this.#report, 'equals-missing', `missing '=' after "${name}"`, at, help)
      // The lists that name it are right.
      const value = new Expandable('', undefined, name)
      if (!this.lists[kind].has(name))
        this.lists[kind].set(name, { kind, name, value, cached: false, hide: false, at })
      return
    }
    const first = this.lists[kind].get(name)
    if (first !== undefined) {
      this.#report({
        code: 'list-name-twice',
        severity: 'error',
        fatal: true,
        message: `duplicate name "${name}" for a named ${listWord[kind]} list`,
        at,
        help: 'give one of them another name',
        also: [{ at: first.at, says: 'the first one' }],
      })
      return
    }
    const text = readString({ line, start: skipSpace(line.text, equals + 1), name })
    if ('fault' in text) {
      const { code, message, help } = text.fault
      error(this.#report, code, message, line.span(text.fault.start, text.fault.end), help)
      return
    }
    const value = new Expandable(text.text, text, name)
    this.lists[kind].set(name, { kind, name, value, cached: suffix === '_cache', hide: setting.hide, at })
  }
}
