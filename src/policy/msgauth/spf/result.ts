/** What an SPF check is asked and what it answers. Source: RFC 7208 sections 2.6 and 4. */
import type { IpAddress } from '../../../base/ip.ts'
import type { DnsAnswer, DnsType } from '../../../ports.ts'

/** The words of section 2.6. */
export type SpfWord = 'none' | 'neutral' | 'pass' | 'fail' | 'softfail' | 'temperror' | 'permerror'

/** What could not be found out (`temperror`), or what is wrong with the published records (`permerror`). */
export interface SpfTrouble {
  readonly result: 'temperror' | 'permerror'
  readonly problem: string
}

/** `mechanism` is the term that decided as the record has it; `default` when none did. */
export type SpfResult =
  | { readonly result: 'none'; readonly problem: string }
  | { readonly result: 'pass' | 'neutral' | 'softfail'; readonly mechanism: string }
  | { readonly result: 'fail'; readonly mechanism: string; readonly explanation?: string | undefined }
  | SpfTrouble

/** The arguments of check_host(), section 4.1, and what macros may ask for. */
export interface SpfQuery {
  /** An IPv4-mapped IPv6 address counts as the IPv4 address. */
  readonly ip: IpAddress
  /** The domain whose record is asked first. */
  readonly domain: string
  /** The identity being checked; without local part `postmaster` stands in. */
  readonly sender: string
  readonly helo: string
  /** Name of this host, for `%{r}`. */
  readonly receiver: string
  /** Milliseconds since 1970, for `%{t}`. */
  readonly now: number
  /** Policy that stands in for the record of `domain` itself, for best guesses; no TXT is asked for it. */
  readonly policy?: string | undefined
  /** How long the whole check may take; default 20 seconds: section 4.6.4. */
  readonly limitMs?: number | undefined
}

export type AskDns = (name: string, type: DnsType) => Promise<DnsAnswer>
