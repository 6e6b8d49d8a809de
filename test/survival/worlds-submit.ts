/** How messages are handed in, in `worlds.ts`: by SMTP, and by calls of `sendmail` of all kinds. */
import { connectSmtp } from '../support/smtp-client.ts'
import { backDomain, type Random, randomRecipients, type World } from './worlds-model.ts'

export interface Submitted {
  readonly message: string
  readonly recipients: readonly string[]
  readonly from: number
  acknowledged: boolean
}

/** What came of a call; a status of undefined: it was killed. */
export interface Called {
  readonly status: number | null | undefined
  readonly said: string
}

export interface SubmitRoom {
  readonly random: Random
  readonly port: number
  readonly world: World
  readonly submitted: Map<string, Submitted>
  nextId(): string
  command(words: readonly string[], input: string, asUser?: boolean): Promise<Called>
  tell(what: string): void
}

const sender = `s@${backDomain}`

/** Hands in some messages at once; resolves when it has been said what came of them. */
export async function submit(room: SubmitRoom): Promise<void> {
  const { below, pick } = room.random
  const how = pick(['smtp', 'smtp', 'smtp', 'plain', 'plain', '-t', '-bS', '-bs', 'user'] as const)
  const mode = pick(['-odb', '-odb', '-odi', '-odq', '-odf', '-odqs'])
  const single = how === 'plain' || how === '-t' || how === 'user'
  const messages = Array.from({ length: single ? 1 : pick([1, 1, 2, 3]) }, (): Submitted => {
    const one = {
      message: room.nextId(),
      recipients: randomRecipients(room.random, room.world.files),
      from: Date.now(),
      acknowledged: false,
    }
    room.submitted.set(one.message, one)
    return one
  })
  const lines = below(8) === 0 ? 9000 : 3
  const about = messages.map((one) => `${one.message} to ${one.recipients.join(' ')}`).join('; ')
  room.tell(`submit ${how} ${mode} ${about}`)
  switch (how) {
    case 'smtp':
      return bySmtp(room, messages, lines)
    case '-bs':
      return onStdin(room, mode, messages, lines)
    case '-bS': {
      const { status, said } = await room.command([mode, '-bS'], `${batchOf(messages, lines)}QUIT\n`)
      room.tell(`${messages[0]?.message}: ${status} ${said}`)
      for (const one of messages) one.acknowledged = status === 0
      return
    }
    default: {
      const [one] = messages
      if (one === undefined) return
      const to = how === '-t' ? ['-t'] : one.recipients
      const text = textOf(one, lines, how === '-t' ? `To: ${one.recipients.join(', ')}\n` : '')
      const words = ['-oi', mode, '-f', sender, ...to]
      const { status, said } = await room.command(words, text, how === 'user')
      room.tell(`${one.message}: ${status} ${said}`)
      one.acknowledged = status === 0
    }
  }
}

function textOf({ message }: Submitted, lines: number, headers = ''): string {
  return `Message-Id: <${message}>\n${headers}Subject: x\n\n${'line of text\n'.repeat(lines)}end-of-text\n`
}

/** The dialogue of all of them. */
function batchOf(messages: readonly Submitted[], lines: number): string {
  return messages
    .map((one) => {
      const to = one.recipients.map((each) => `RCPT TO:<${each}>\n`).join('')
      return `MAIL FROM:<${sender}>\n${to}DATA\n${textOf(one, lines)}.\n`
    })
    .join('')
}

async function onStdin(
  room: SubmitRoom,
  mode: string,
  messages: readonly Submitted[],
  lines: number,
): Promise<void> {
  const dialogue = `EHLO source.test\n${batchOf(messages, lines)}QUIT\n`
  const { said } = await room.command([mode, '-bs'], dialogue.replaceAll('\n', '\r\n'))
  const taken = [...said.matchAll(/^250 OK id=/gm)].length
  for (const one of messages.slice(0, taken)) one.acknowledged = true
}

async function bySmtp(room: SubmitRoom, messages: readonly Submitted[], lines: number): Promise<void> {
  const client = await connectSmtp(room.port, '127.0.0.1', 20_000)
  try {
    await client.say('EHLO source.test')
    for (const one of messages) {
      const reply = await client.deliver(sender, one.recipients, textOf(one, lines))
      if (reply.code === 250) one.acknowledged = true
      else room.tell(`${one.message}: ${reply.raw}`)
    }
  } finally {
    client.end()
  }
}
