/** What checking the ARC chain of a message found. Source: RFC 8617 section 5.2. */
import type { ByteString } from '../base/text.ts'
import type { MessageFacts } from '../ports.ts'

const KEY = 'arc'

export class ArcFacts {
  readonly state: 'none' | 'pass' | 'fail'
  /** Why it fails; empty otherwise. */
  readonly reason: ByteString
  /** Highest instance: the length of the chain. */
  readonly instances: number
  /** `d=` of the seals, the oldest first; empty where a set has none. */
  readonly domains: readonly ByteString[]
  /** Lowest instance whose message signature holds, as those of all later ones do; 0: the chain does not pass. */
  readonly oldestPass: number
  /** Of the newest seal. */
  readonly selector: ByteString

  constructor(facts: {
    readonly state: 'none' | 'pass' | 'fail'
    readonly reason: ByteString
    readonly instances: number
    readonly domains: readonly ByteString[]
    readonly oldestPass: number
    readonly selector: ByteString
  }) {
    this.state = facts.state
    this.reason = facts.reason
    this.instances = facts.instances
    this.domains = facts.domains
    this.oldestPass = facts.oldestPass
    this.selector = facts.selector
  }
}

export function keepArc(message: Pick<MessageFacts, 'extra'>, facts: ArcFacts): void {
  message.extra.set(KEY, facts)
}

/** What the last check found; undefined when there was none. */
export function arcOf(message: Pick<MessageFacts, 'extra'> | undefined): ArcFacts | undefined {
  const facts = message?.extra.get(KEY)
  return facts instanceof ArcFacts ? facts : undefined
}
