/** Reads an Exim filter file into commands. Source: Exim manual, "Exim filter files"; sentences as Exim 4.96 says them. */
import type { ByteString } from '../../../../base/text.ts'
import { parseIf } from './parse-condition.ts'
import { FilterReader, FilterSyntaxError } from './reader.ts'
import { type Command, type CommandBody, type MailCommand, mailFields, type MailField } from './tree.ts'

/** Commands that only the administrator may allow. */
export interface FilterRights {
  /** A system filter: all of them, and changes of headers. */
  readonly system: boolean
  readonly allow: { readonly defer: boolean; readonly fail: boolean; readonly freeze: boolean }
}

export type ParsedFilter =
  | { readonly is: 'filter'; readonly commands: readonly Command[] }
  | { readonly is: 'error'; readonly message: string }

/** Commands of one file, and `if` within `if`. */
const commandLimit = 20_000
const depthLimit = 100

export function parseFilter(text: ByteString, rights: FilterRights): ParsedFilter {
  const parser = new Parser(text, rights)
  try {
    return { is: 'filter', commands: parser.commands() }
  } catch (error) {
    if (error instanceof FilterSyntaxError) return { is: 'error', message: error.message }
    throw error
  }
}

/** Words that end the commands of an `if`. */
type Stop = 'elif' | 'else' | 'endif' | 'end'

class Parser {
  readonly #reader: FilterReader
  readonly #rights: FilterRights
  #count = 0

  constructor(text: ByteString, rights: FilterRights) {
    this.#reader = new FilterReader(text)
    this.#rights = rights
  }

  commands(): Command[] {
    const { commands, stop } = this.#list(0)
    if (stop === 'end') return commands
    throw this.#near(`unexpected "${stop}" command`)
  }

  #near(says: string, line: number = this.#reader.line): FilterSyntaxError {
    return new FilterSyntaxError(`${says} near line ${line} of filter file`)
  }

  /** Up to a word that ends a list; the word is read. */
  #list(depth: number): { readonly commands: Command[]; readonly stop: Stop } {
    if (depth > depthLimit) throw this.#near('too many nested "if" commands')
    const commands: Command[] = []
    for (;;) {
      const mark = { seen: undefined as boolean | undefined, noError: false }
      let { line } = this.#reader
      let word = this.#commandWord()
      for (; word === 'seen' || word === 'unseen' || word === 'noerror'; word = this.#commandWord()) {
        if (word === 'noerror') mark.noError = true
        else if (mark.seen !== undefined)
          throw new FilterSyntaxError(`"seen" or "unseen" repeated near line ${line}`)
        else mark.seen = word === 'seen'
        line = this.#reader.line
        if (this.#reader.atEnd) {
          const what = mark.seen === undefined ? '"noerror"' : '"seen" or "unseen"'
          throw new FilterSyntaxError(`${what} near line ${line} is not followed by a command`)
        }
      }
      if (word === '') {
        if (this.#reader.atEnd) return { commands, stop: 'end' }
        word = this.#reader.word(false)
      }
      if (word === 'elif' || word === 'else' || word === 'endif') return { commands, stop: word }
      if (++this.#count > commandLimit) throw this.#near('too many commands')
      if ((mark.seen !== undefined || mark.noError) && unmarked.has(word)) {
        throw new FilterSyntaxError(
          `"seen", "unseen", or "noerror" found before an "${word}" command near line ${line}`,
        )
      }
      if (word === 'if') {
        commands.push(this.#if(depth))
        continue
      }
      const at = this.#reader.line
      const body = this.#command(word)
      commands.push({ ...body, seen: mark.seen ?? isDelivery(body), noError: mark.noError, line: at })
    }
  }

  /** A parenthesis ends the word only where a condition follows it. */
  #commandWord(): ByteString {
    const word = this.#reader.peekWord()
    return this.#reader.word(word === 'if' || word === 'elif')
  }

  #if(depth: number): Command {
    const condition = parseIf(this.#reader)
    const { commands, stop } = this.#list(depth + 1)
    if (stop === 'end') throw new FilterSyntaxError('"endif" missing at end of filter file')
    if (stop === 'endif') return { is: 'if', condition, whenTrue: commands, otherwise: [] }
    if (stop === 'elif') return { is: 'if', condition, whenTrue: commands, otherwise: [this.#if(depth + 1)] }
    const last = this.#list(depth + 1)
    if (last.stop === 'end') throw new FilterSyntaxError('"endif" missing at end of filter file')
    if (last.stop !== 'endif') throw this.#near('"endif" missing')
    return { is: 'if', condition, whenTrue: commands, otherwise: last.commands }
  }

  #command(word: ByteString): CommandBody {
    switch (word) {
      case 'add':
        return this.#add()
      case 'deliver': {
        const address = this.#argument(word)
        if (this.#reader.peekWord() !== 'errors_to') return { is: word, address, errorsTo: undefined }
        this.#reader.word(false)
        // An empty string is not the same as none.
        const empty = this.#reader.next === '"' ? '<>' : ''
        return { is: word, address, errorsTo: this.#reader.value(false) || empty }
      }
      case 'save':
      case 'logfile': {
        const path = this.#argument(word)
        return { is: word, path, mode: this.#mode() }
      }
      case 'pipe':
        return { is: word, command: this.#argument(word) }
      case 'logwrite':
        return { is: word, text: `${this.#argument(word)}\n` }
      case 'testprint':
        return { is: word, text: this.#argument(word) }
      case 'finish':
        return { is: word }
      case 'mail':
      case 'vacation':
        return this.#mail(word === 'vacation')
      case 'headers':
        return this.#headers()
      case 'defer':
      case 'fail':
      case 'freeze': {
        if (!this.#rights.allow[word]) {
          throw new FilterSyntaxError(
            `filtering command "${word}" is disabled: near line ${this.#reader.line} of filter file`,
          )
        }
        return { is: word, text: this.#reason() }
      }
      default:
        throw this.#near(`unknown filtering command "${word}"`, this.#reader.line)
    }
  }

  #argument(command: string): ByteString {
    const value = this.#reader.value(false)
    if (value === '') throw this.#near(`"${command}" requires an argument`)
    return value
  }

  /** Octal digits; anything else is the next command. */
  #mode(): number | undefined {
    if (!/^\d/.test(this.#reader.next)) return undefined
    return Number.parseInt(/^[0-7]*/.exec(this.#reader.word(false))?.[0] || '0', 8)
  }

  #add(): CommandBody {
    const amount = this.#argument('add')
    if (this.#reader.peekWord() !== 'to') throw this.#near('"to" expected in "add" command')
    this.#reader.word(false)
    const variable = this.#reader.value(false)
    if (variable === '') throw this.#near('value missing after "to"')
    return { is: 'add', amount, variable }
  }

  #headers(): CommandBody {
    const action = this.#reader.word(false)
    if (action === '') throw this.#near('"headers" requires an argument')
    if (action !== 'charset' && !this.#rights.system) {
      throw new FilterSyntaxError(
        `header addition and removal is available only in system filters: near line ${this.#reader.line} of filter file`,
      )
    }
    if (action !== 'add' && action !== 'remove' && action !== 'charset') {
      throw this.#near('"add", "remove", or "charset" expected')
    }
    const text = this.#reader.value(false)
    if (text === '') throw this.#near('value missing after "add", "remove", or "charset"')
    return { is: 'headers', action, text }
  }

  /** `text "..."`; the word may be left out before a quote. */
  #reason(): ByteString {
    if (this.#reader.next === '"') return this.#reader.value(false)
    if (this.#reader.peekWord() !== 'text') return ''
    this.#reader.word(false)
    return this.#reader.value(false)
  }

  /** Keyword and value in any order; the first other word is the next command. */
  #mail(vacation: boolean): MailCommand {
    const fields: Partial<Record<MailField, ByteString>> = {}
    let expandFile = false
    let returnMessage = false
    for (;;) {
      const word = this.#reader.peekWord()
      if (word === 'expand') {
        this.#reader.word(false)
        if (this.#reader.word(false) !== 'file') throw this.#near('"expand" not followed by "file" ')
        expandFile = true
        fields.file = this.#reader.value(false)
      } else if (word === 'return') {
        this.#reader.word(false)
        if (this.#reader.word(false) !== 'message') throw this.#near('"return" not followed by "message" ')
        returnMessage = true
      } else if (isMailField(word)) {
        this.#reader.word(false)
        if (word === 'file') expandFile = false
        fields[word] = this.#reader.value(false)
      } else break
    }
    if (!vacation) return { is: 'mail', vacation, fields, expandFile, returnMessage }
    const ownFile = fields.file !== undefined
    return {
      is: 'mail',
      vacation,
      fields: {
        subject: 'On vacation',
        file: '.vacation.msg',
        log: '.vacation.log',
        once: '.vacation',
        once_repeat: '7d',
        ...fields,
      },
      expandFile: ownFile ? expandFile : true,
      returnMessage,
    }
  }
}

function isMailField(word: string): word is MailField {
  return (mailFields as readonly string[]).includes(word)
}

/** Commands that nothing stands before. */
const unmarked: ReadonlySet<string> = new Set(['add', 'headers', 'if'])

/** The commands whose deliveries are significant unless told otherwise. */
function isDelivery({ is }: CommandBody): boolean {
  return (
    is === 'deliver' || is === 'save' || is === 'pipe' || is === 'defer' || is === 'fail' || is === 'freeze'
  )
}
