import { textOf } from '../../base/text.ts'
import type { QueryType } from './types.ts'

export const passwd: QueryType = {
  name: 'passwd',
  doc: 'Looks a user of this system up.',
  since: '0.1',
  style: 'query',
  find(query, _, context) {
    const account = context.ports.accounts.byName(textOf(query))
    if (account === undefined) return { is: 'none' }
    const { uid, gid, gecos, home, shell } = account
    return { is: 'found', data: `*:${uid}:${gid}:${gecos}:${home}:${shell}` }
  },
}
