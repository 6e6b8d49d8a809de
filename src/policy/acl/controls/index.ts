/** All controls, sorted. */
import type { ControlRow } from '../row.ts'
import { debug } from './debug.ts'
import { dscp } from './dscp.ts'
import { caseControls, flagControls } from './flags.ts'
import {
  cutthroughDelivery,
  fakedefer,
  fakereject,
  freeze,
  queue,
  submission,
  utf8Downconvert,
} from './options.ts'
import { wellknown } from './wellknown.ts'

export const controls: readonly ControlRow[] = [
  ...caseControls,
  cutthroughDelivery,
  debug,
  dscp,
  fakedefer,
  fakereject,
  ...flagControls,
  freeze,
  queue,
  submission,
  utf8Downconvert,
  wellknown,
].sort((a, b) => (a.name < b.name ? -1 : 1))

const byName = new Map(
  controls.flatMap((row) => [row.name, ...(row.aliases ?? [])].map((name) => [name, row] as const)),
)

/** Finds a control by its name or an older one. */
export function findControl(name: string): ControlRow | undefined {
  return byName.get(name)
}
