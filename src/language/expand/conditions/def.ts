import { isFailure, type Outcome } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { compileVariable } from '../compile-variable.ts'
import { failure } from '../environment.ts'
import { headersNamed } from '../headers.ts'
import { readHeaderName } from '../header-name.ts'
import type { ConditionRow } from '../rows.ts'
import { findVariable, variables } from '../variables/index.ts'

export const def: ConditionRow = {
  name: 'def',
  doc: 'True when the variable is not empty, or the header exists.',
  since: '0.1',
  manual: 'Expansion conditions',
  read(reader) {
    if (reader.peek() !== ':') return reader.syntax('":" expected after "def"')
    const start = ++reader.position
    const header = readHeaderName(reader, start)
    if (header !== undefined) return { arguments: [], header }
    const name = reader.word()
    if (name === '') return reader.syntax('variable name omitted after "def:"', start)
    const variable = findVariable(name)
    if (variable === undefined) {
      const message = `unknown variable "${name}" after "def:"`
      reader.minor.push({
        ...reader.unknown('variable', message, start, reader.position, variables.keys()),
        stops: true,
      })
    } else if (variable.get === undefined) {
      reader.minor.push({
        code: 'variable-not-working',
        message: `variable $${name} does not work in this version`,
        start,
        end: reader.position,
      })
    }
    return { arguments: [], variable, raw: name }
  },
  compile(parts) {
    const { header, variable, raw } = parts
    if (header !== undefined)
      return (environment) => headersNamed(header.name, environment.context).length > 0
    if (variable === undefined) {
      const fault = failure(`unknown variable "${raw ?? ''}" after "def:"`)
      return () => fault
    }
    const run = compileVariable(variable, raw ?? '')
    const filled = (value: Outcome) => (isFailure(value) ? value : textOf(value) !== '')
    return (environment) => {
      const value = run(environment)
      return value instanceof Promise ? value.then(filled) : filled(value)
    }
  },
}
