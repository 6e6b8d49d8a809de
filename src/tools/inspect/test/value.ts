/** What YAML and JSON say, with the place of each value. */

export interface Place {
  readonly line: number
  readonly column: number
}

export type Value =
  | { readonly is: 'text'; readonly text: string; readonly at: Place }
  | { readonly is: 'nothing'; readonly at: Place }
  | { readonly is: 'list'; readonly items: readonly Value[]; readonly at: Place }
  | { readonly is: 'map'; readonly entries: readonly Entry[]; readonly at: Place }

export interface Entry {
  readonly key: string
  readonly keyAt: Place
  readonly value: Value
}

export interface Problem {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

export function isProblems(found: readonly Value[] | readonly Problem[]): found is readonly Problem[] {
  const [first] = found
  return first !== undefined && 'message' in first
}
