/** All controls, sorted. */
import type { ControlRow } from '../row.ts'
import { caseControls, flagControls } from './flags.ts'
import { missingControls } from './missing.ts'
import { cutthroughDelivery, fakedefer, fakereject, freeze, queue, submission } from './options.ts'

export const controls: readonly ControlRow[] = [
  ...caseControls,
  cutthroughDelivery,
  fakedefer,
  fakereject,
  ...flagControls,
  freeze,
  ...missingControls,
  queue,
  submission,
].sort((a, b) => (a.name < b.name ? -1 : 1))

const byName = new Map(
  controls.flatMap((row) => [row.name, ...(row.aliases ?? [])].map((name) => [name, row] as const)),
)

/** Finds a control by its name or an older one. */
export function findControl(name: string): ControlRow | undefined {
  return byName.get(name)
}
