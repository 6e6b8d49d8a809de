/** Records and policies of MTA-STS, read strictly. Source: RFC 8461 sections 3.1, 3.2, 4.1. */

export interface StsPolicy {
  readonly mode: 'enforce' | 'testing' | 'none'
  /** Host names; `*.` stands for one label. */
  readonly mx: readonly string[]
  readonly maxAgeSeconds: number
}

const longestAge = 31_557_600
const mostPatterns = 200

/**
 * The id of the one record that is a policy's; undefined: none, or several (section 3.1: then there is no policy).
 * @param texts TXT records, the strings of each joined
 */
export function stsRecordId(texts: readonly string[]): string | undefined {
  const records = texts.filter((text) => /^v=STSv1\s*;/.test(text))
  const [only] = records
  if (records.length !== 1 || only === undefined) return undefined
  return /;\s*id=([A-Za-z0-9]{1,32})\s*(?:;|$)/.exec(only)?.[1]
}

/** A policy as the web server gives it. */
export function readStsPolicy(text: string): StsPolicy | { readonly problem: string } {
  const fields = new Map<string, string[]>()
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue
    const [, name = '', value = ''] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === '') return { problem: `"${line.slice(0, 60)}" is no field` }
    fields.set(name, [...(fields.get(name) ?? []), value])
  }
  // Only the first of a field that is not repeated counts.
  if (fields.get('version')?.[0] !== 'STSv1') return { problem: 'the version is not STSv1' }
  const mode = fields.get('mode')?.[0]
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return { problem: 'no known mode' }
  const age = fields.get('max_age')?.[0] ?? ''
  if (!/^\d{1,10}$/.test(age)) return { problem: 'no max_age' }
  const mx = (fields.get('mx') ?? []).map((name) => name.toLowerCase().replace(/\.$/, ''))
  if (mode !== 'none' && mx.length === 0) return { problem: 'no mx' }
  if (mx.length > mostPatterns) return { problem: 'too many mx' }
  const wrong = mx.find((name) => !/^(?:\*\.)?(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/.test(name))
  if (wrong !== undefined) return { problem: `"${wrong.slice(0, 60)}" is no host name` }
  return { mode, mx, maxAgeSeconds: Math.min(Number(age), longestAge) }
}

/** Section 4.1: a wild card stands for the leftmost label alone. */
export function stsAllows(policy: StsPolicy, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  return policy.mx.some((pattern) =>
    pattern.startsWith('*.')
      ? name.slice(name.indexOf('.')) === pattern.slice(1) && name.includes('.')
      : pattern === name,
  )
}
