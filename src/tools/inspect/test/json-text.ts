/** JSON text as values; its lines are all the places that it has. */
import type { Place, Problem, Value } from './value.ts'

export function parseJson(file: string, texts: readonly string[]): readonly Value[] | readonly Problem[] {
  const values: Value[] = []
  for (const [index, text] of texts.entries()) {
    if (text.trim() === '') continue
    const at = { line: index + 1, column: 1 }
    try {
      values.push(valueOf(JSON.parse(text), at))
    } catch (error) {
      return [{ file, ...at, message: error instanceof Error ? error.message : String(error) }]
    }
  }
  return values
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
