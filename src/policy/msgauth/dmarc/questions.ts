/** The questions of one evaluation to the DNS: each asked once, within a number and a time. */
import type { ByteString } from '../../../base/text.ts'
import type { DnsAnswer, DnsType } from '../../../ports.ts'
import type { DmarcRecord } from '../../../mail/dmarc-facts.ts'
import { isDmarcRecord, parseRecord, type DmarcMode } from './record.ts'

export type AskDns = (name: string, type: DnsType) => Promise<DnsAnswer>

/** At a name: its record; `several` has none that counts; `again`: it could not be found out. */
export type AtName = { readonly record: DmarcRecord } | 'nothing' | 'several' | 'again'

/** A walk takes 8 questions; one for the author, others for signers below the same organisation. */
const MOST_QUESTIONS = 60
const LIMIT_MS = 20_000
/** TXT records beside the one that counts; no more are looked at. */
const MOST_RECORDS = 500

export class Questions {
  readonly mode: DmarcMode
  /** In the order they were asked. */
  readonly asked: string[] = []
  readonly #dns: AskDns
  readonly #limitMs: number
  readonly #known = new Map<string, Promise<AtName>>()
  #timer: NodeJS.Timeout | undefined
  #expired: Promise<'again'> | undefined
  #over = false

  constructor(mode: DmarcMode, dns: AskDns, limitMs: number = LIMIT_MS) {
    this.mode = mode
    this.#dns = dns
    this.#limitMs = limitMs
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  /** The DMARC record of a name: RFC 9989 section 4.10 steps 1 and 2. */
  recordAt(name: ByteString): Promise<AtName> {
    let answer = this.#known.get(name)
    if (answer === undefined) {
      answer = this.#askRecord(name)
      this.#known.set(name, answer)
    }
    return answer
  }

  /** RFC 9989 section 3.2.13: only NXDOMAIN says that a name does not exist. */
  async exists(name: ByteString): Promise<boolean> {
    const answer = await this.#ask(name, 'A')
    // What cannot be found out counts as existing.
    return answer === 'again' || answer.status !== 'nxdomain' || answer.canonicalName.toLowerCase() !== name
  }

  async #askRecord(name: ByteString): Promise<AtName> {
    const answer = await this.#ask(`_dmarc.${name}`, 'TXT')
    if (answer === 'again' || answer.status === 'again') return 'again'
    const records: ByteString[] = []
    for (const each of answer.records.slice(0, MOST_RECORDS)) {
      // The strings of one record are one text: RFC 9989 section 4.5.
      const text = each.type === 'TXT' ? each.strings.join('') : ''
      if (isDmarcRecord(text)) records.push(text)
    }
    const [only] = records
    if (only === undefined) return 'nothing'
    return records.length > 1 ? 'several' : { record: parseRecord(only, this.mode) }
  }

  async #ask(name: string, type: DnsType): Promise<DnsAnswer | 'again'> {
    if (this.#over || this.asked.length >= MOST_QUESTIONS) return 'again'
    this.asked.push(name)
    this.#expired ??= new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        this.#over = true
        resolve('again')
      }, this.#limitMs)
    })
    return Promise.race([this.#dns(name, type), this.#expired])
  }
}
