/** Intervals of time: `1w2d3h4m5s`. Source: Exim manual, "Time intervals". */

const units = { w: 604800, d: 86400, h: 3600, m: 60, s: 1 } as const
const unitSize: ReadonlyMap<string, number> = new Map(Object.entries(units))

/** Seconds of an interval; undefined when it is none. */
export function parseInterval(text: string): number | undefined {
  // The manual has each unit once, in falling order; Exim takes any.
  if (!/^(?:\d+[wdhms])+$/.test(text)) return undefined
  let total = 0
  for (const match of text.matchAll(/(\d+)([wdhms])/g)) {
    total += Number(match[1]) * (unitSize.get(match[2] ?? '') ?? 0)
  }
  return total
}

/** Seconds as an interval; 0 is `0s`. */
export function formatInterval(seconds: number): string {
  if (seconds === 0) return '0s'
  let rest = seconds
  let text = ''
  for (const [unit, size] of Object.entries(units)) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest %= size
  }
  return text
}
