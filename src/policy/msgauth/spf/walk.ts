/** One evaluation: its facts for macros, its questions to the DNS, and its limits. Source: RFC 7208 section 4.6.4. */
import { formatIp, inNetwork, type IpAddress, parseIp, reverseIp, unmapped } from '../../../base/ip.ts'
import { unreachable } from '../../../base/outcome.ts'
import type { DnsAnswer, DnsType } from '../../../ports.ts'
import type { MacroLetter } from './macro.ts'
import { isAskable, splitSender } from './names.ts'
import type { AskDns, SpfQuery, SpfTrouble } from './result.ts'

const MOST_TERMS = 10
const MOST_VOIDS = 2
const MOST_POINTERS = 10
const LIMIT_MS = 20_000

const late: SpfTrouble = { result: 'temperror', problem: 'DNS took too long' }

export class Walk {
  readonly ip: IpAddress
  readonly helo: string
  private readonly query: SpfQuery
  private readonly dns: AskDns
  private readonly localPart: string
  private readonly senderDomain: string
  private readonly expired: Promise<'late'>
  private readonly timer: NodeJS.Timeout
  private terms = 0
  private voids = 0
  private over = false
  private pointers: Promise<Pointers> | undefined

  constructor(query: SpfQuery, dns: AskDns) {
    this.query = query
    this.dns = dns
    this.ip = unmapped(query.ip)
    this.helo = query.helo
    const { localPart, domain } = splitSender(query.sender)
    this.localPart = localPart
    this.senderDomain = domain
    let expire: (value: 'late') => void = () => undefined
    this.expired = new Promise((resolve) => (expire = resolve))
    this.timer = setTimeout(() => {
      this.over = true
      expire('late')
    }, query.limitMs ?? LIMIT_MS)
  }

  end(): void {
    clearTimeout(this.timer)
  }

  /** To be called before each term that asks the DNS. */
  countTerm(): SpfTrouble | undefined {
    this.terms++
    return this.terms > MOST_TERMS
      ? { result: 'permerror', problem: `more than ${MOST_TERMS} terms that ask the DNS` }
      : undefined
  }

  /** To be called once for a term one of whose questions had no answer. */
  countVoid(): SpfTrouble | undefined {
    // A guessed policy is the administrator's own, and most domains have not all that it asks for.
    if (this.query.policy !== undefined) return undefined
    this.voids++
    return this.voids > MOST_VOIDS
      ? { result: 'permerror', problem: `more than ${MOST_VOIDS} void lookups` }
      : undefined
  }

  /** Asks the DNS; a temporary error or the end of time is trouble. */
  async ask(name: string, type: DnsType): Promise<DnsAnswer | SpfTrouble> {
    if (this.over) return late
    const answer = await Promise.race([this.dns(name, type), this.expired])
    if (answer === 'late') return late
    return answer.status === 'again'
      ? { result: 'temperror', problem: `DNS error for ${type} of ${name}` }
      : answer
  }

  /** Addresses of a name, of the client's kind; a name that no question can be asked for has none. */
  async addressesOf(name: string): Promise<readonly IpAddress[] | SpfTrouble | 'void'> {
    if (!isAskable(name)) return []
    const answer = await this.ask(name, this.ip.version === 4 ? 'A' : 'AAAA')
    if ('result' in answer) return answer
    if (answer.status !== 'found') return 'void'
    return answer.records.flatMap((record) => {
      const address = record.type === 'A' || record.type === 'AAAA' ? parseIp(record.value) : undefined
      return address === undefined ? [] : [address]
    })
  }

  /** True when the client lies in the network around an address. */
  covers(address: IpAddress, bits4: number, bits6: number): boolean {
    return inNetwork(this.ip, { ...address, bits: address.version === 4 ? bits4 : bits6 })
  }

  /** Names of the client that lead back to it: section 5.5. Asked once; an error means fewer names. */
  validatedNames(): Promise<Pointers> {
    this.pointers ??= this.findPointers()
    return this.pointers
  }

  private async findPointers(): Promise<Pointers> {
    const zone = this.ip.version === 4 ? 'in-addr.arpa' : 'ip6.arpa'
    const answer = await this.ask(`${reverseIp(this.ip)}.${zone}`, 'PTR')
    if ('result' in answer) return { names: [], isVoid: false }
    if (answer.status !== 'found') return { names: [], isVoid: true }
    const names: string[] = []
    // All names after the first ten are ignored: section 4.6.4.
    for (const record of answer.records.slice(0, MOST_POINTERS)) {
      if (record.type !== 'PTR') continue
      const name = record.value.replace(/\.$/, '').toLowerCase()
      const addresses = await this.addressesOf(name)
      if (typeof addresses === 'string' || 'result' in addresses) continue
      if (addresses.some((address) => this.covers(address, 32, 128))) names.push(name)
    }
    return { names, isVoid: false }
  }

  /** `%{p}`: section 7.3; the domain itself first, then a name below it, then any; `unknown` when there is none. */
  async pointerName(domain: string): Promise<string> {
    const { names } = await this.validatedNames()
    const wanted = domain.toLowerCase()
    return (
      names.find((name) => name === wanted) ??
      names.find((name) => name.endsWith(`.${wanted}`)) ??
      names[0] ??
      'unknown'
    )
  }

  /** True when the sender's local part has bytes that no domain name can hold: RFC 8616 section 4. */
  get foreignLocalPart(): boolean {
    return /[^\x00-\x7f]/.test(this.localPart)
  }

  /** Values of macro letters: section 7.2. */
  valueOf(letter: MacroLetter, domain: string, pointerName: string): string {
    switch (letter) {
      case 's':
        return `${this.localPart}@${this.senderDomain}`
      case 'l':
        return this.localPart
      case 'o':
        return this.senderDomain
      case 'd':
        return domain
      case 'i':
        return this.ip.version === 4 ? formatIp(this.ip) : nibbles(this.ip)
      case 'p':
        return pointerName
      case 'h':
        return this.helo
      case 'c':
        return formatIp(this.ip)
      case 'r':
        return this.query.receiver === '' ? 'unknown' : this.query.receiver
      case 't':
        return String(Math.floor(this.query.now / 1000))
      case 'v':
        return this.ip.version === 4 ? 'in-addr' : 'ip6'
      default:
        return unreachable(letter)
    }
  }
}

interface Pointers {
  readonly names: readonly string[]
  readonly isVoid: boolean
}

/** IPv6 as nibbles with dots between, in upper case. */
function nibbles(ip: IpAddress): string {
  return [...ip.bytes]
    .flatMap((byte) => [byte >> 4, byte & 15].map((each) => each.toString(16).toUpperCase()))
    .join('.')
}
