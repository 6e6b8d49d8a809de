/** Smaller forms of a text, by its lines, braces and characters. */

/** Most smaller forms that are tried at once. */
const mostForms = 3000

/** All texts that are one step smaller, the smallest first. */
export function smaller(text: string): string[] {
  const forms = new Set<string>()
  const add = (start: number, end: number, put: string): void => {
    if (end - start > put.length) forms.add(text.slice(0, start) + put + text.slice(end))
  }
  for (const { start, end } of groups(text)) {
    const inside = text.slice(start + 1, end - 1)
    add(start, end, '')
    add(start + 1, end - 1, '')
    add(start + 1, end - 1, 'a')
    add(start, end, inside)
    // The whole item for one of its arguments.
    if (text[start - 1] === '$') {
      add(start - 1, end, '')
      add(start - 1, end, 'a')
      for (const inner of groups(inside)) add(start - 1, end, inside.slice(inner.start + 1, inner.end - 1))
    }
  }
  for (const length of [64, 16, 8, 4, 2, 1])
    for (let at = 0; at + length <= text.length; at += Math.max(1, length >> 1)) {
      // Braces go together, or what was well formed would not be.
      if (balance(text.slice(at, at + length)) === 0) add(at, at + length, '')
    }
  return [...forms].toSorted((a, b) => a.length - b.length).slice(0, mostForms)
}

/** Stretches between braces that belong together, with them. */
function groups(text: string): { readonly start: number; readonly end: number }[] {
  const open: number[] = []
  const found: { start: number; end: number }[] = []
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '{') open.push(i)
    else if (text[i] === '}') {
      const start = open.pop()
      if (start !== undefined) found.push({ start, end: i + 1 })
    }
  }
  return found
}

function balance(text: string): number {
  let depth = 0
  for (const char of text) depth += char === '{' ? 1 : char === '}' ? -1 : 0
  return depth
}
