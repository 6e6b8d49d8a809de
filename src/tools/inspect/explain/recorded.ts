/** Explanations that the daemon has kept (`explain_store`), found by message, by trace or because something was refused. */
import { explanationsOf } from '../../../server/store-room.ts'
import { readTrace, type TraceNode } from '../../../server/trace-read.ts'
import { isDefinition } from '../../../server/trace-table.ts'
import { type ExplanationHead, explanationsKept, findExplanations } from '../../../store/explanations.ts'

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

/** Why nothing was found, and what to do. */
export function nothingFound(spoolDirectory: string, explainStore: number, wanted: Wanted): string {
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
