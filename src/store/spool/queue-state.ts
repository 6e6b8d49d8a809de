/** How a message of the queue is, in one word. */
import type { QueueEntry } from './api.ts'

export const queueStates = ['new', 'deferred', 'frozen', 'delivering'] as const
export type QueueState = (typeof queueStates)[number]

/** `new`: not tried yet. */
export function stateOf(entry: QueueEntry): QueueState {
  if (entry.frozen) return 'frozen'
  if (entry.claimedBy !== undefined) return 'delivering'
  return entry.firstDelivery ? 'new' : 'deferred'
}
