/**
 * `one_time`: addresses of a list that have to wait take the place of the recipient that led to them, so that a list that has
 * changed meanwhile is not read again. Source: Exim manual, redirect router, option "one_time".
 */
import type { Recipient } from '../../mail/envelope.ts'
import type { Attempt, DeferredAddress } from './attempt.ts'

/** After an attempt that left some. */
export async function replaceOneTime(attempt: Attempt): Promise<void> {
  const waiting = new Map<Recipient, DeferredAddress[]>()
  for (const one of attempt.deferred) waiting.set(one.recipient, [...(waiting.get(one.recipient) ?? []), one])
  const replaced = new Map([...waiting].filter(([recipient, left]) => isReplaced(attempt, recipient, left)))
  if (replaced.size === 0) return
  const { marks, claim, envelope } = attempt
  const before = envelope.recipients
  // An original stays in the list, done, as the parent of its children; one that is its own child cannot.
  const kept = before.filter((one) => !replaced.get(one)?.some(({ address }) => address === one.address))
  const places = new Map(kept.map((recipient, i) => [recipient, i]))
  const below = (recipient: Recipient, parent: Recipient | undefined): Recipient => {
    const { parent: _, ...rest } = recipient
    const place = parent === undefined ? undefined : places.get(parent)
    return place === undefined ? rest : { ...rest, parent: place }
  }
  const recipients = kept.map((one) => (one.parent === undefined ? one : below(one, before[one.parent])))
  const known = new Set(recipients.map(({ address }) => address))
  for (const [original, left] of replaced)
    for (const { address, oneTime } of left) {
      if (known.has(address)) continue
      known.add(address)
      recipients.push(below(childOf(original, address, oneTime), original))
    }
  marks.replace(recipients)
  const done = [...replaced.keys()].filter((one) => kept.includes(one)).map(({ address }) => address)
  for (const address of done) marks.markRedirected(address)
  await claim.record({ recipients, done: marks.takeFresh() })
}

/** Nothing else waits that came of it, and nothing of what waits (a copy by `unseen`) would be taken for done. */
function isReplaced(
  { marks, envelope }: Attempt,
  recipient: Recipient,
  left: readonly DeferredAddress[],
): boolean {
  return (
    left.every(({ oneTime, address }) => oneTime !== undefined && !marks.isNameOfDone(address)) &&
    marks.openCount(recipient) === new Set(left.map(({ key }) => key)).size &&
    envelope.recipients.includes(recipient)
  )
}

function childOf({ dsn }: Recipient, address: string, oneTime: DeferredAddress['oneTime']): Recipient {
  const errorsTo = oneTime?.errorsTo
  return { address, ...(errorsTo === undefined ? {} : { errorsTo }), ...(dsn && { dsn }) }
}
