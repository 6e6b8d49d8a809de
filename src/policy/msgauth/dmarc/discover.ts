/**
 * Which record applies to an author's domain, and what is its organisation, by either standard.
 * Sources: RFC 9989 section 4.10.1; RFC 7489 sections 3.2 and 6.6.3.
 */
import type { ByteString } from '../../../base/text.ts'
import type { DmarcRecord } from '../../../mail/dmarc-facts.ts'
import { organizationalDomain, type SuffixList } from '../../../mail/public-suffix.ts'
import type { Questions } from './questions.ts'
import { organizationOf, walkTree } from './tree-walk.ts'

export type Discovered =
  | {
      readonly is: 'record'
      readonly record: DmarcRecord
      readonly domain: ByteString
      /** The record of the organisation or the suffix stands for a name below it. */
      readonly inherited: boolean
      readonly ofSuffix: boolean
    }
  | { readonly is: 'none'; readonly problem?: string }
  | { readonly is: 'again'; readonly problem: string }

/** The organisational domain of a name; undefined: it has none. `again`: it could not be found out. */
export type Organization = { readonly domain: ByteString | undefined } | 'again'

export interface Finder {
  discover(author: ByteString): Promise<Discovered>
  organization(name: ByteString): Promise<Organization>
}

export function finderFor(questions: Questions, suffixes: SuffixList | undefined): Finder {
  return suffixes === undefined ? byTreeWalk(questions) : bySuffixes(questions, suffixes)
}

function byTreeWalk(questions: Questions): Finder {
  return {
    async discover(author) {
      // 1. The author's own record.
      const own = await questions.recordAt(author)
      if (own === 'again') return again(author)
      if (typeof own !== 'string') {
        const ofSuffix = own.record.psd === 'y'
        return { is: 'record', record: own.record, domain: author, inherited: false, ofSuffix }
      }
      // 2. That of the organisation, else that of the public suffix above it.
      const found = await walkTree(author, questions)
      if (found === 'again') return again(author)
      const organization = organizationOf(author, found)
      const applied =
        found.find(({ name }) => name === organization) ?? found.find(({ record }) => record.psd === 'y')
      if (applied === undefined) return { is: 'none' }
      return {
        is: 'record',
        record: applied.record,
        domain: applied.name,
        inherited: true,
        ofSuffix: applied.record.psd === 'y',
      }
    },
    async organization(name) {
      const found = await walkTree(name, questions)
      return found === 'again' ? 'again' : { domain: organizationOf(name, found) }
    },
  }
}

function bySuffixes(questions: Questions, suffixes: SuffixList): Finder {
  return {
    async discover(author) {
      const names = new Set([author, organizationalDomain(author, suffixes) ?? author])
      for (const domain of names) {
        const at = await questions.recordAt(domain)
        if (at === 'again') return again(domain)
        // 7489 section 6.6.3 step 5: several records end the discovery.
        if (at === 'several') return { is: 'none', problem: `several records for ${domain}` }
        if (at === 'nothing') continue
        return { is: 'record', record: at.record, domain, inherited: domain !== author, ofSuffix: false }
      }
      return { is: 'none' }
    },
    async organization(name) {
      return { domain: organizationalDomain(name, suffixes) }
    },
  }
}

function again(domain: ByteString): Discovered {
  return { is: 'again', problem: `DNS error in looking for the record of ${domain}` }
}
