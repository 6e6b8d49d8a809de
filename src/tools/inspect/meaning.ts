/**
 * What a configuration means to this version: each option with its value, those that the file leaves at their default
 * too, and those that have no effect yet. Two versions' meanings of one file, compared, tell what an upgrade changes.
 */
import { decodeUtf8 } from '../../base/text.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { printConfiguration } from '../../language/config/print.ts'
import { collectRegistries } from '../../server/registries.ts'
import { eximVersion, posternVersion } from '../../server/version.ts'

export interface Meaning {
  readonly version: string
  /** `main smtp_accept_max` or `router local: domains`, with the line that `-bP` prints. */
  readonly settings: Readonly<Record<string, string>>
  /** Options of the file that are read and do nothing. */
  readonly withoutEffect: readonly string[]
}

const sections = [
  { words: [], kind: 'main' },
  { words: ['routers'], kind: 'router' },
  { words: ['transports'], kind: 'transport' },
  { words: ['authenticators'], kind: 'authenticator' },
] as const

export function meaningOf(configuration: Configuration): Meaning {
  const settings: Record<string, string> = {}
  for (const { words, kind } of sections) {
    const { output } = printConfiguration({
      configuration,
      registries: collectRegistries(),
      names: words,
      admin: false,
      nameless: false,
      effective: new Map(),
      groupOf: () => undefined,
      environment: {},
      version: eximVersion,
    })
    let instance = ''
    for (const line of decodeUtf8(output).split('\n')) {
      const heading = /^(\S+) (?:router|transport|authenticator):$/.exec(line)
      if (heading !== null) instance = ` ${heading[1] ?? ''}`
      const name = /^(?:no_)?([a-z]\w*)(?: =|$)/.exec(line)?.[1]
      if (name !== undefined) settings[`${kind}${instance} ${name}`] = line
    }
  }
  const withoutEffect = configuration.diagnostics
    .filter(({ code }) => code === 'option-pending')
    .map(({ message }) => /"([^"]+)"/.exec(message)?.[1] ?? message)
  return { version: posternVersion, settings, withoutEffect: [...new Set(withoutEffect)].sort() }
}

/** Undefined: not what `--record` prints. */
export function readMeaning(text: string): Meaning | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('settings' in value) || !('withoutEffect' in value))
      return undefined
    const { version, settings, withoutEffect } = value as Partial<Meaning>
    if (typeof version !== 'string' || typeof settings !== 'object' || !Array.isArray(withoutEffect))
      return undefined
    return { version, settings, withoutEffect }
  } catch {
    return undefined
  }
}

/** A sentence for each difference. Options that only one version knows count when the file could have meant them. */
export function compareMeanings(before: Meaning, now: Meaning): string[] {
  const changes: string[] = []
  for (const [name, line] of Object.entries(before.settings)) {
    const there = now.settings[name]
    if (there === undefined) changes.push(`${name}: was "${line}", is not known any more`)
    else if (there !== line) changes.push(`${name}: was "${line}", is "${there}"`)
  }
  for (const name of before.withoutEffect)
    if (!now.withoutEffect.includes(name)) changes.push(`${name}: had no effect, has one now`)
  for (const name of now.withoutEffect)
    if (!before.withoutEffect.includes(name)) changes.push(`${name}: has no effect any more`)
  return changes
}
