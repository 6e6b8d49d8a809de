/** Which messages of the queue a person means: the options of `postern queue`. */
import { parseInterval } from '../../base/interval.ts'
import type { ByteString } from '../../base/text.ts'
import type { QueueEntry } from '../../store/spool/api.ts'
import { queueStates, stateOf } from '../../store/spool/queue-state.ts'

/** What was typed; undefined: not asked for. */
export interface Wanted {
  readonly sender?: ByteString | undefined
  readonly recipient?: ByteString | undefined
  readonly domain?: ByteString | undefined
  readonly reason?: ByteString | undefined
  readonly older?: string | undefined
  readonly younger?: string | undefined
  readonly larger?: string | undefined
  readonly state?: string | undefined
  readonly queue?: string | undefined
  readonly ids: readonly string[]
}

export type Selection =
  | { readonly matches: (entry: QueueEntry, now: number) => boolean; readonly everything: boolean }
  | { readonly wrong: string }

/** All that are asked for must hold. Text is looked for anywhere, whatever its case; `<>` is the empty sender. */
export function selectMessages(wanted: Wanted): Selection {
  const tests: ((entry: QueueEntry, now: number) => boolean)[] = []
  const { sender, recipient, domain, reason } = wanted
  if (sender !== undefined) {
    const text = sender.toLowerCase()
    tests.push(
      text === '<>' || text === ''
        ? (entry) => entry.sender === ''
        : (entry) => entry.sender.toLowerCase().includes(text),
    )
  }
  if (recipient !== undefined) {
    const text = recipient.toLowerCase()
    tests.push((entry) => waiting(entry).some((address) => address.includes(text)))
  }
  if (domain !== undefined) {
    const text = domain.toLowerCase().replace(/^@/, '')
    tests.push((entry) =>
      waiting(entry).some((address) => inDomain(address.slice(address.lastIndexOf('@') + 1), text)),
    )
  }
  if (reason !== undefined) {
    const text = reason.toLowerCase()
    tests.push((entry) => entry.reason?.toLowerCase().includes(text) === true)
  }
  for (const [name, text, holds] of [
    ['--older', wanted.older, (ageMs: number, limitMs: number) => ageMs > limitMs],
    ['--younger', wanted.younger, (ageMs: number, limitMs: number) => ageMs < limitMs],
  ] as const) {
    if (text === undefined) continue
    const seconds = parseInterval(text)
    if (seconds === undefined) return { wrong: `${name} ${text}: a time such as 30m, 2h or 1d12h` }
    tests.push((entry, now) => holds(now - entry.receivedAt, seconds * 1000))
  }
  if (wanted.larger !== undefined) {
    const parts = /^(\d+)([kmg]?)$/i.exec(wanted.larger)
    if (parts === null) return { wrong: `--larger ${wanted.larger}: a size such as 20K or 5M` }
    const bytes = Number(parts[1]) * 1024 ** ' kmg'.indexOf((parts[2] ?? '').toLowerCase() || ' ')
    tests.push((entry) => entry.size > bytes)
  }
  const { state } = wanted
  if (state !== undefined) {
    if (!queueStates.some((each) => each === state))
      return { wrong: `--state ${state}: one of ${queueStates.join(', ')}` }
    tests.push((entry) => stateOf(entry) === state)
  }
  const { queue } = wanted
  if (queue !== undefined) tests.push((entry) => entry.queueName === queue)
  if (wanted.ids.length > 0) {
    const ids = new Set(wanted.ids)
    tests.push((entry) => ids.has(entry.id))
  }
  return {
    matches: (entry, now) => tests.every((holds) => holds(entry, now)),
    everything: tests.length === 0,
  }
}

/** `example.org` means its subdomains too when it begins with a dot. */
function inDomain(domain: string, wanted: string): boolean {
  return wanted.startsWith('.') ? domain.endsWith(wanted) || domain === wanted.slice(1) : domain === wanted
}

function waiting(entry: QueueEntry): string[] {
  return entry.recipients.filter(({ done }) => !done).map(({ address }) => address.toLowerCase())
}
