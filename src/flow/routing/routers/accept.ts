/** The accept router: takes every address that its preconditions let through. Source: Exim manual, chapter 16. */
import type { RouterDriver } from '../types.ts'

export const accept: RouterDriver = {
  name: 'accept',
  doc: 'Gives each address that passes its preconditions to its transport.',
  since: '0.1',
  manual: 'The accept router',
  options: {},
  needsTransport: true,
  route() {
    return Promise.resolve({ is: 'assign', hosts: [] })
  },
}
