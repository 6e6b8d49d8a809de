/** Controls that take options after a slash. */
import { slice, type Text, textOf } from '../../../base/text.ts'
import type { Phases } from '../place.ts'
import { type ControlRow, errorOf } from '../row.ts'
import { setFlags } from './flags.ts'

const receiving: Phases = { only: ['mail', 'rcpt', 'predata', 'data', 'prdr', 'notsmtp', 'mime'] }
const receivingBySmtp: Phases = { only: ['mail', 'rcpt', 'predata', 'data', 'prdr', 'mime'] }

export const freeze: ControlRow = {
  name: 'freeze',
  doc: 'The message is queued and frozen; /no_tell keeps freeze_tell quiet.',
  since: '0.1',
  tier: 'A',
  phases: receiving,
  takesOptions: true,
  apply(call, options) {
    const option = textOf(options)
    if (option !== '' && option !== 'no_tell') return false
    const controls = call.context.message?.controls
    // freeze_tell stays quiet only when every freeze of the message says no_tell.
    const quiet = option === 'no_tell' && (controls?.freeze !== true || controls.freezeNoTell)
    setFlags(call, { freeze: true, freezeNoTell: quiet })
    return undefined
  },
}

export const queue: ControlRow = {
  name: 'queue',
  aliases: ['queue_only'],
  doc: 'The message waits for a queue runner; /first_pass_route routes it at once.',
  since: '0.1',
  tier: 'A',
  phases: receiving,
  takesOptions: true,
  apply(call, options) {
    const words = textOf(options).split('/')
    setFlags(call, { queueOnly: true, queueFirstPassRoute: words.includes('first_pass_route') })
    return undefined
  },
}

export const fakereject: ControlRow = fake(
  'fakereject',
  'The client hears a refusal of the message, which is taken all the same.',
  'fakeReject',
)
export const fakedefer: ControlRow = fake(
  'fakedefer',
  'The client hears a temporary refusal of the message, which is taken all the same.',
  'fakeDefer',
)

function fake(name: string, doc: string, field: 'fakeReject' | 'fakeDefer'): ControlRow {
  return {
    name,
    doc,
    since: '0.1',
    tier: 'A',
    phases: receivingBySmtp,
    takesOptions: true,
    apply(call, options) {
      const standard =
        'Your message has been rejected but is being kept for evaluation.\nIf it was a legitimate message, it may still be delivered to the target recipient(s).'
      setFlags(call, { [field]: textOf(options) === '' ? standard : options })
      return undefined
    },
  }
}

export const submission: ControlRow = {
  name: 'submission',
  doc: 'The message is a submission of a mail client: missing headers are added, Sender is checked.',
  since: '0.1',
  tier: 'A',
  phases: { only: ['mail', 'rcpt', 'predata'] },
  takesOptions: true,
  apply(call, options) {
    let domain: string | undefined
    let name: string | undefined
    let senderRetain = false
    let rest: Text = options
    while (textOf(rest) !== '') {
      const text = textOf(rest)
      if (text.startsWith('sender_retain')) {
        senderRetain = true
        rest = slice(rest, 'sender_retain'.length)
      } else if (text.startsWith('domain=')) {
        const end = endOfOption(text)
        domain = text.slice('domain='.length, end)
        rest = slice(rest, end)
      } else if (text.startsWith('name=')) {
        // A name may hold anything, so it is the last option.
        name = text.slice('name='.length)
        rest = ''
      } else return false
      if (textOf(rest).startsWith('/')) rest = slice(rest, 1)
      else if (textOf(rest) !== '') return false
    }
    setFlags(call, { submission: { domain, name, senderRetain } })
    return undefined
  },
}

function endOfOption(text: string): number {
  const slash = text.indexOf('/')
  return slash < 0 ? text.length : slash
}

export const cutthroughDelivery: ControlRow = {
  name: 'cutthrough_delivery',
  doc: 'The message is handed on while it is being received; /defer=pass hands temporary refusals back.',
  since: '0.1',
  tier: 'A',
  phases: { only: ['rcpt'] },
  takesOptions: true,
  apply(call, options) {
    // Only the first recipient may ask for it; later ones are ignored, as in Exim.
    if ((call.context.message?.recipients.length ?? 0) > 0) return undefined
    const pass = textOf(options).split('/').includes('defer=pass')
    setFlags(call, { cutthrough: { defer: pass ? 'pass' : 'spool' } })
    return undefined
  },
}

/** What the deliveries do with it is theirs. Source: Exim manual, "Internationalisation". */
export const utf8Downconvert: ControlRow = {
  name: 'utf8_downconvert',
  doc: 'Addresses in UTF-8 are turned into their ASCII form for the next host: 1 always, -1 where it must be, 0 never.',
  since: '0.1',
  tier: 'B',
  phases: { only: ['rcpt', 'vrfy'] },
  takesOptions: true,
  apply(call, options) {
    const value = { '': 1, '1': 1, '0': 0, '-1': -1 }[textOf(options)]
    if (value === undefined) return errorOf('bad option value for control=utf8_downconvert')
    setFlags(call, { utf8Downconvert: value })
    return undefined
  },
}
