/** Variables as functions. */
import { Failure, type Outcome } from '../../base/outcome.ts'
import { taint, textOf } from '../../base/text.ts'
import type { Trace } from '../../ports.ts'
import type { Run, VariableRow, VariableValue } from './rows.ts'

/** Fails at each use: the name is known, but does not work. */
export function notWorking(written: string, doc: string, refused: boolean = false): Run {
  const why = refused ? 'is refused' : 'does not work in this version'
  const fault = new Failure('failure', `${written} ${why}: ${doc}`)
  return () => fault
}

/** A variable as a function: its taint is said by its row. */
export function compileVariable(row: VariableRow, name: string): Run {
  const { get } = row
  if (get === undefined) return notWorking(`$${name}`, row.doc)
  const origin = `$${name}`
  const { tainted } = row
  // What AUTH brought is a password, or may be.
  const secret = /^auth\d$/.test(name)
  const finish = (value: VariableValue): Outcome => {
    if (typeof value === 'string') return tainted ? taint(value, origin) : value
    if (value === undefined) return ''
    return typeof value === 'number' ? String(value) : value
  }
  return (environment) => {
    const value = get(environment)
    const { trace } = environment.context
    const outcome = value instanceof Promise ? value.then(finish) : finish(value)
    if (trace === undefined) return outcome
    return outcome instanceof Promise
      ? toldLater(origin, outcome, trace, secret)
      : tell(origin, outcome, trace, secret)
  }
}

function toldLater(
  origin: string,
  outcome: Promise<Outcome>,
  trace: Trace,
  secret: boolean,
): Promise<Outcome> {
  return outcome.then((settled) => tell(origin, settled, trace, secret))
}

/** Hands a value on, and writes down what it was. */
export function tell(origin: string, outcome: Outcome, trace: Trace, secret: boolean = false): Outcome {
  const shown = outcome instanceof Failure ? outcome.message : textOf(outcome)
  trace.note('variable', origin, secret ? '****' : shown)
  return outcome
}
