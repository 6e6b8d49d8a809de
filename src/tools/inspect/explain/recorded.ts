/** Explanations that the daemon has kept (`explain_store`), found by message, by trace or because something was refused. */
import { systemReason } from '../../../base/system-error.ts'
import { explanationsOf } from '../../../server/store-room.ts'
import { readTrace, type TraceNode } from '../../../server/trace-read.ts'
import { isDefinition } from '../../../server/trace-table.ts'
import type { Server } from '../../../server/server.ts'
import {
  type ExplanationHead,
  explanationsKept,
  findExplanations,
  unreadableExplanations,
} from '../../../store/explanations.ts'

export interface Recorded extends ExplanationHead {
  readonly root: TraceNode
}

export type Wanted =
  | { readonly is: 'message'; readonly id: string }
  | { readonly is: 'trace'; readonly id: string }
  | { readonly is: 'latest'; readonly refused: boolean; readonly most: number }

/** A message has one session and as many deliveries as were tried. */
const mostOfMessage = 50

/** The newest last. */
export function findRecorded(spoolDirectory: string, wanted: Wanted): Recorded[] {
  const most = wanted.is === 'latest' ? wanted.most : mostOfMessage
  const directory = explanationsOf(spoolDirectory)
  const found = findExplanations(directory, (head) => isWanted(head, wanted), most, isDefinition)
  return found.reverse().flatMap(({ steps, definitions, ...head }) => {
    const root = readTrace(steps, definitions)
    return root === undefined ? [] : [{ ...head, root }]
  })
}

function isWanted(head: ExplanationHead, wanted: Wanted): boolean {
  switch (wanted.is) {
    case 'message':
      return head.ids.includes(wanted.id)
    case 'trace':
      // A long session has several parts: `ID`, `ID-2` and so on.
      return head.trace === wanted.id || head.trace.startsWith(`${wanted.id}-`)
    case 'latest':
      return head.kind === 'session' && (head.refused || !wanted.refused)
  }
}

/**
 * That something of what is kept may not be read, and as whom; undefined when all may be.
 * @param uid of this process
 */
export function mayNotRead({ facts, accounts }: Server, uid: number): string | undefined {
  const found = unreadableExplanations(explanationsOf(facts.spoolDirectory))
  if (found === undefined) return undefined
  const nameOf = (one: number): string => accounts.byUid(one)?.name ?? `uid ${one}`
  const { path, error, owner } = found
  const mode = ((owner?.mode ?? 0) & 0o7777).toString(8).padStart(4, '0')
  const whose = owner === undefined ? '' : `; it belongs to ${nameOf(owner.uid)}, mode ${mode}`
  return `cannot read ${path} as ${nameOf(uid)}: ${systemReason(error)}${whose}`
}

/** Why nothing was found, and what to do. */
export function nothingFound(server: Server, wanted: Wanted): string {
  const { spoolDirectory } = server.facts
  const explainStore = server.settings.explain_store
  if (!explanationsKept(explanationsOf(spoolDirectory))) {
    return explainStore > 0
      ? `nothing has been kept yet (explain_store = ${explainStore}): the daemon must have read this configuration`
      : 'nothing is kept: set explain_store = 10000 in the main section, and the daemon keeps its latest sessions'
  }
  switch (wanted.is) {
    case 'message':
      return `no session or delivery of message ${wanted.id} among those that are kept`
    case 'trace':
      return `no explanation ${wanted.id} among those that are kept`
    case 'latest':
      return wanted.refused ? 'no session that is kept had a refusal' : 'no session is kept'
  }
}
