import type { RejectOptions } from '../ports.ts'

/** The logs that a line goes to, as `-v` and `control = debug` name them: `MAIN REJECT`. */
export function logNames(how: RejectOptions = {}): string {
  const names = [
    how.main === false ? '' : 'MAIN',
    how.reject === false ? '' : 'REJECT',
    how.panic === true ? 'PANIC' : '',
  ]
  return names.filter((name) => name !== '').join(' ')
}
