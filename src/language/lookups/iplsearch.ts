import { parseIp, unmapped } from '../../base/ip.ts'
import { NetworkIndex } from '../../base/network-index.ts'
import type { LookupResult } from '../../ports.ts'
import { eachEntry, type Entry } from './lines.ts'
import { foundEntry } from './lsearch.ts'
import type { Opened, SingleKeyType } from './types.ts'

interface Networks {
  /** By position in `entries`. */
  readonly index: NetworkIndex
  readonly entries: readonly Entry[]
  readonly star: Entry | undefined
}

export const iplsearch: SingleKeyType = {
  name: 'iplsearch',
  doc: 'Searches a text file whose keys are IP addresses or networks; the first that holds the address counts.',
  since: '0.1',
  style: 'single',
  open(file, options, context, cache) {
    const networks = cache.get(file, 'iplsearch', 'linear search', context, (bytes) => {
      const index = new NetworkIndex()
      const entries: Entry[] = []
      let star: Entry | undefined
      const done = eachEntry(bytes, (entry) => {
        if (index.add(entry.key, entries.length)) entries.push(entry)
        else if (entry.key === '*') star ??= entry
      })
      const made = (): Networks => ({ index, entries, star })
      return done instanceof Promise ? done.then(made) : made()
    })
    const opened = (found: Networks | { problem: string }): Opened => {
      if ('problem' in found) return { error: 'failure', message: found.problem }
      return {
        find(key): LookupResult {
          if (key === '*') return found.star === undefined ? { is: 'none' } : foundEntry(found.star, options)
          const parsed = parseIp(key)
          if (parsed === undefined) {
            const message =
              `"${key}" is not a valid iplsearch key (an IP address, with optional CIDR mask, is wanted): ` +
              'in a host list, use net-iplsearch as the search type'
            return { is: 'defer', message }
          }
          const address = unmapped(parsed)
          const hit = found.entries[found.index.find(address)]
          return hit === undefined ? { is: 'none' } : foundEntry(hit, options)
        },
      }
    }
    return networks instanceof Promise ? networks.then(opened) : opened(networks)
  },
}
