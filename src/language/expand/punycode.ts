/** Punycode, for the ASCII form of local parts: RFC 3492 section 6. Domains go by way of `node:url`. */

const base = 36
const least = 1
const most = 26
const firstBias = 72
const firstCode = 128
const digits = 'abcdefghijklmnopqrstuvwxyz0123456789'

function adapt(delta: number, points: number, first: boolean): number {
  let rest = first ? Math.floor(delta / 700) : delta >> 1
  rest += Math.floor(rest / points)
  let k = 0
  for (; rest > ((base - least) * most) >> 1; k += base) rest = Math.floor(rest / (base - least))
  return k + Math.floor(((base - least + 1) * rest) / (rest + 38))
}

function threshold(k: number, bias: number): number {
  return Math.min(most, Math.max(least, k - bias))
}

function digitOf(value: number): string {
  return digits.charAt(value)
}

/** RFC 3492 section 6.3. */
export function punycode(text: string): string {
  const points = Array.from(text, (char) => char.codePointAt(0) ?? 0)
  const basic = points.filter((point) => point < firstCode)
  let result = String.fromCharCode(...basic)
  if (basic.length > 0) result += '-'
  let [code, delta, bias, done] = [firstCode, 0, firstBias, basic.length]
  while (done < points.length) {
    const next = Math.min(...points.filter((point) => point >= code))
    delta += (next - code) * (done + 1)
    code = next
    for (const point of points) {
      if (point < code) delta++
      if (point !== code) continue
      let rest = delta
      for (let k = base; ; k += base) {
        const t = threshold(k, bias)
        if (rest < t) break
        result += digitOf(t + ((rest - t) % (base - t)))
        rest = Math.floor((rest - t) / (base - t))
      }
      result += digitOf(rest)
      bias = adapt(delta, done + 1, done === basic.length)
      delta = 0
      done++
    }
    delta++
    code++
  }
  return result
}

/** RFC 3492 section 6.2; undefined: it is none. */
export function fromPunycode(text: string): string | undefined {
  const end = Math.max(0, text.lastIndexOf('-'))
  const points = Array.from(text.slice(0, end), (char) => char.charCodeAt(0))
  let [code, place, bias] = [firstCode, 0, firstBias]
  for (let at = end > 0 ? end + 1 : end; at < text.length; ) {
    const before = place
    let weight = 1
    for (let k = base; ; k += base) {
      const digit = digits.indexOf(text.charAt(at++).toLowerCase() || '?')
      if (digit < 0) return undefined
      place += digit * weight
      const t = threshold(k, bias)
      if (digit < t) break
      weight *= base - t
      if (place > 0x7fffffff || weight > 0x7fffffff) return undefined
    }
    bias = adapt(place - before, points.length + 1, before === 0)
    code += Math.floor(place / (points.length + 1))
    place %= points.length + 1
    if (code > 0x10ffff) return undefined
    points.splice(place++, 0, code)
  }
  return String.fromCodePoint(...points)
}
