/**
 * What `postern install` made, in the order it was made: `uninstall` takes it back from the end. Kept as JSON on the
 * host, written anew after each step, so that an installation that was cut off can be taken back too.
 */
import { posternVersion } from '../../server/version.ts'
import type { HostDoor } from './door.ts'
import { installed } from './layout.ts'

export type Made =
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string }
  /** `keeps`: what of the administrator's may be in it; such a folder goes only with `--purge`. */
  | { readonly kind: 'folder'; readonly path: string; readonly keeps?: 'queue' | 'logs' | 'settings' }
  /** `sha256` of what was written: a file that was changed since is the administrator's. */
  | { readonly kind: 'file'; readonly path: string; readonly sha256: string; readonly keeps?: 'settings' }
  /** `aside`: where the file stands that had this name before; `diverted`: dpkg knows of it. */
  | {
      readonly kind: 'link'
      readonly path: string
      readonly target: string
      readonly aside?: string
      readonly diverted?: boolean
    }
  | { readonly kind: 'unit'; readonly name: string }

export interface Manifest {
  /** Of the Postern that wrote it. */
  readonly version: string
  readonly made: readonly Made[]
}

/** Undefined for text that is no manifest. */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('made' in value) || !Array.isArray(value.made))
      return undefined
    // Written by this program for root alone; the kinds are looked at one by one by whoever takes them back.
    return value as Manifest
  } catch {
    return undefined
  }
}

export function writeManifest(host: HostDoor, made: readonly Made[]): void {
  host.write(installed.manifest, `${JSON.stringify({ version: posternVersion, made }, null, 1)}\n`, 0o644)
}

/** The same thing made twice (an installation over an older one) stands once, with its newest facts. */
export function addMade(made: readonly Made[], added: Made): Made[] {
  const key = keyOf(added)
  const at = made.findIndex((each) => keyOf(each) === key)
  if (at === -1) return [...made, added]
  const old = made[at]
  // What was set aside at the first installation is what uninstall puts back.
  const merged = added.kind === 'link' && old?.kind === 'link' ? { ...old, target: added.target } : added
  return made.map((each, index) => (index === at ? merged : each))
}

function keyOf(made: Made): string {
  return `${made.kind} ${'path' in made ? made.path : made.name}`
}
