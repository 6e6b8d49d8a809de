/** The iplookup router: known by name; its instances are refused. Source: Exim manual, chapter 19. */
import type { RouterDriver } from '../types.ts'
import { iplookupOptions } from './iplookup.options.ts'

export const iplookup: RouterDriver = {
  name: 'iplookup',
  doc: 'Asks a host over UDP or TCP where an address goes.',
  manual: 'The iplookup router',
  options: iplookupOptions,
  works: false,
  route: () => Promise.resolve({ is: 'defer', message: 'the iplookup router driver is not available' }),
}
