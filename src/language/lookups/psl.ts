/** Public suffixes. Source: https://publicsuffix.org/list/. Lookup types newer than Exim 4.99. */
import type { ByteString } from '../../base/text.ts'
import {
  organizationalDomain,
  parseSuffixes,
  publicSuffix,
  type SuffixList,
} from '../../mail/public-suffix.ts'
import type { Opened, SingleKeyType } from './types.ts'

function suffixType(
  name: string,
  doc: string,
  find: (domain: ByteString, list: SuffixList) => ByteString | undefined,
): SingleKeyType {
  return {
    name,
    doc,
    since: '0.1',
    style: 'single',
    open(file, _, context, cache) {
      // Both types share what was read.
      const list = cache.get(file, 'psl', 'public suffix list lookup', context, parseSuffixes)
      const opened = (read: SuffixList | { problem: string }): Opened => {
        if ('problem' in read) return { error: 'failure', message: read.problem }
        return {
          find(key) {
            const data = find(key.replace(/\.$/, ''), read)
            return data === undefined ? { is: 'none' } : { is: 'found', data }
          },
        }
      }
      return list instanceof Promise ? list.then(opened) : opened(list)
    },
  }
}

export const psl = suffixType(
  'psl',
  'The public suffix of a domain, from a file in the form of the Public Suffix List.',
  publicSuffix,
)
export const regdom = suffixType(
  'regdom',
  'The registered domain above a domain, from a file in the form of the Public Suffix List.',
  organizationalDomain,
)
