/** The ACL section: names and the lines that follow each; the ACL engine makes statements of them. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { AclSource, SectionLine } from './configuration.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import { mainOptions } from './options/main.ts'
import type { BuiltinNames } from './registries.ts'
import { error } from './settings.ts'

const verbs = ['accept', 'defer', 'deny', 'discard', 'drop', 'require', 'warn']
/** What stands alone on a line of an ACL. */
const alone = [...verbs, 'endpass']

export class AclSection {
  readonly #report: Report
  /** Words that stand in an ACL; what is alone on a line and is nothing like them is a name without its colon. */
  readonly #words: readonly string[]
  readonly #acls = new Map<string, AclSource & { readonly lines: SectionLine[] }>()
  #current: SectionLine[] | undefined
  #complained = false
  #name = ''
  /** A statement stood behind the name, and ended there. */
  #oneLine = false

  constructor(names: BuiltinNames | undefined, report: Report) {
    this.#report = report
    this.#words = [...alone, ...(names?.aclConditions ?? []), ...(names?.aclModifiers ?? [])]
  }

  /** Ends the ACL: a macro has been defined, which is done between ACLs only. */
  close(): void {
    this.#current = undefined
  }

  take(line: MappedText): void {
    const name = /^([A-Za-z][A-Za-z0-9_]*)[ \t]*:/.exec(line.text)
    if (name?.[1] !== undefined) {
      this.#begin(name[1], line)
      const rest = skipSpace(line.text, name[0].length)
      // A statement may stand behind the name.
      this.#oneLine = rest < line.text.length
      if (this.#oneLine) this.#add(line.slice(rest))
    } else if (this.#current !== undefined) {
      if (this.#unnamed(line)) return
      if (this.#oneLine) this.#expectVerb(line)
      this.#add(line)
    } else if (!this.#complained) {
      // One word about it is enough, however many lines follow.
      this.#complained = true
      const option = /^(\w+)[ \t]*=/.exec(line.text)?.[1] ?? ''
      const help = Object.hasOwn(mainOptions, option)
        ? `${option} is an option of the main section, before the first "begin"`
        : 'an ACL begins with a line "name:"'
      error(this.#report, 'acl-name-missing', 'missing or malformed ACL name', line.span(), help)
    }
  }

  finish(): ReadonlyMap<string, AclSource> {
    return this.#acls
  }

  #begin(name: string, line: MappedText): void {
    const at = line.span(0, name.length)
    this.#complained = false
    this.#name = name
    const first = this.#acls.get(name)
    if (first !== undefined) {
      this.#report({
        code: 'acl-name-twice',
        severity: 'error',
        fatal: true,
        message: `there are two ACLs called "${name}"`,
        at,
        help: 'give one of them another name',
        also: [{ at: first.at, says: 'the first one' }],
      })
      this.#current = []
      return
    }
    this.#current = []
    this.#acls.set(name, { name, at, lines: this.#current })
  }

  /** `acl_check_data` without its colon would be one more line of the ACL before it. */
  #unnamed(line: MappedText): boolean {
    const { text } = line
    if (!/^[A-Za-z]\w+$/.test(text) || nearest(text, this.#words) !== undefined) return false
    const first = this.#current?.length === 0
    const message = first
      ? `error in ACL: unknown ACL verb "${text}" in "${text}"`
      : `error in ACL: unknown ACL condition/modifier in "${text}"`
    const help = `a colon ends the name of an ACL: "${text}:"`
    error(this.#report, 'acl-name-missing', message, line.span(), help)
    this.#begin(text, line)
    return true
  }

  /** Exim takes a statement behind a name for whole. */
  #expectVerb(line: MappedText): void {
    this.#oneLine = false
    const word = /^!?[ \t]*(\w*)/.exec(line.text)?.[1] ?? ''
    if (verbs.includes(word)) return
    const message = `error in ACL: unknown ACL verb "${word}" in "${line.text}"`
    const help = `what stands behind "${this.#name}:" ends with its line: begin the statement on the next one`
    error(this.#report, 'acl-verb-unknown', message, line.span(), help)
  }

  #add(line: MappedText): void {
    this.#current?.push({ text: new Expandable(line.text, line, this.#name) })
  }
}
