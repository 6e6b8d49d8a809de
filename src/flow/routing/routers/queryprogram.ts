/** The queryprogram router: known by name; its instances are refused. Source: Exim manual, chapter 21. */
import type { RouterDriver } from '../types.ts'
import { queryprogramOptions } from './queryprogram.options.ts'

export const queryprogram: RouterDriver = {
  name: 'queryprogram',
  doc: 'Asks a program where an address goes.',
  manual: 'The queryprogram router',
  options: queryprogramOptions,
  works: false,
  route: () => Promise.resolve({ is: 'defer', message: 'the queryprogram router driver is not available' }),
}
