/** Short ways to write rows of variables. */
import type { Environment } from '../environment.ts'
import type { VariableRow, VariableValue } from '../rows.ts'

const manual = 'Expansion variables'

type Get = (environment: Environment) => VariableValue | Promise<VariableValue>

/** A variable that only the configuration, the machine or Postern itself decides. */
export function trusted(name: string, doc: string, get: Get): VariableRow {
  return { name, doc, since: '0.1', manual, tainted: false, get }
}

/** A variable that a stranger can influence. */
export function outside(name: string, doc: string, get: Get): VariableRow {
  return { name, doc, since: '0.1', manual, tainted: true, get }
}

/** A variable that some other part sets in the context's map of variables under the same name. */
export function stored(name: string, doc: string): VariableRow {
  return trusted(name, doc, ({ context }) => context.bound?.get(name) ?? context.variables.get(name))
}

/** As `stored`, for values that a stranger can influence. */
export function storedOutside(name: string, doc: string): VariableRow {
  return outside(name, doc, ({ context }) => context.bound?.get(name) ?? context.variables.get(name))
}

/** An older name: the same value, and a remark for who still writes it. */
export function renamed(name: string, today: VariableRow): VariableRow {
  return { ...today, name, doc: `Older name of $${today.name}.`, insteadUse: today.name }
}

/** A name of Exim that does not work yet. */
export function pending(name: string, doc: string): VariableRow {
  return { name, doc, manual, tainted: true }
}
