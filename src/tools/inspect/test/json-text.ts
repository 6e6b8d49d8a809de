/** JSON text as values; its lines are all the places that it has. */
import type { Place, Problem, Value } from './value.ts'

/** Each text for itself: one that is no JSON leaves the others as they are. */
export function parseJson(
  file: string,
  texts: readonly string[],
): { readonly values: readonly Value[]; readonly problems: readonly Problem[] } {
  const values: Value[] = []
  const problems: Problem[] = []
  for (const [index, text] of texts.entries()) {
    if (text.trim() === '') continue
    const at = { line: index + 1, column: 1 }
    try {
      values.push(valueOf(JSON.parse(text), at))
    } catch (error) {
      problems.push({
        file,
        ...at,
        message: `this is no JSON: ${error instanceof Error ? error.message : String(error)}`,
      })
    }
  }
  return { values, problems }
}

function valueOf(json: unknown, at: Place): Value {
  if (json === null || json === undefined) return { is: 'nothing', at }
  if (Array.isArray(json)) return { is: 'list', items: json.map((item) => valueOf(item, at)), at }
  if (typeof json === 'string') return { is: 'text', text: json, at }
  if (typeof json !== 'object') return { is: 'text', text: JSON.stringify(json), at }
  return {
    is: 'map',
    entries: Object.entries(json).map(([key, value]) => ({ key, keyAt: at, value: valueOf(value, at) })),
    at,
  }
}
