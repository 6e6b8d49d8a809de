/** Asking PAM. Source: Exim manual, "Expansion conditions", pam. */
import { libraryMissing } from '../../../base/posix.ts'
import type { Failure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { PamResult } from '../doors/doors.ts'
import { failure } from '../environment.ts'
import type { ConditionRow } from '../rows.ts'
import { stringCondition } from './kinds.ts'

const row = stringCondition({
  name: 'pam',
  doc: 'True when PAM, service "exim", takes the user and password of the list: {user:password}.',
  since: '0.1',
  manual: 'Expansion conditions',
  count: 1,
  test([list = ''], environment) {
    const [user = '', ...answers] = environment.context.ports.splitList(list).map(textOf)
    if (user === '' || [user, ...answers].some((text) => text.includes('\0'))) return false
    return environment.engine.doors
      .askPam({ user, answers, signal: environment.context.signal })
      .then(conclude)
  },
})

export const pam: ConditionRow = {
  ...row,
  read(reader, name) {
    const why = missing()
    const { position } = reader
    if (why !== undefined)
      reader.minor.push({
        code: 'condition-not-working',
        message: `PAM cannot be asked here: ${why}`,
        help: 'Exim has this from its build: here it needs libpam (Debian: libpam0g) and the optional package koffi',
        start: position - name.length,
        end: position,
      })
    return row.read(reader, name)
  },
}

let known: { readonly why: string | undefined } | undefined
function missing(): string | undefined {
  return (known ??= { why: libraryMissing('libpam.so.0') }).why
}

function conclude(result: PamResult): boolean | Failure {
  return result.is === 'failed' ? failure(result.message) : result.is === 'yes'
}
