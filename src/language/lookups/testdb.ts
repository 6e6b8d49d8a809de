import { textOf } from '../../base/text.ts'
import type { QueryType } from './types.ts'

export const testdb: QueryType = {
  name: 'testdb',
  doc: 'For tests: gives the query back; "fail" finds nothing, "defer" defers.',
  since: '0.1',
  style: 'query',
  find(query) {
    switch (textOf(query)) {
      case 'fail':
        return { is: 'none' }
      case 'defer':
        return { is: 'defer', message: 'testdb lookup forced DEFER' }
      default:
        return { is: 'found', data: query }
    }
  },
}
