/** Random SMTP dialogues over TCP, with random ACLs: what both reply and log. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDnsServer, type DnsServer } from '../../support/dns-server.ts'
import { postern } from '../../support/server.ts'
import type { Random } from '../random.ts'
import { exim } from './ask.ts'
import {
  connectionConfiguration,
  connectionDialogue,
  connectionSettings,
  zone,
} from './connection-grammar.ts'
import { type Heard, playAll } from './daemons.ts'
import { dialogueReasons, differingLines, meantBy, type Reason, withoutLines } from './dialogue-forms.ts'
import type { BesideBench, BesideTarget } from './target.ts'

const batch = 96

/** A case is a line of settings between `;`, and the lines of the client: see `play` in daemons.ts. */
async function makeBench(): Promise<BesideBench> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-connections-'))
  chmodSync(folder, 0o755)
  let made = 0
  // In a network of its own, port 53 is free: see run.ts.
  const dns: DnsServer | undefined =
    process.env['POSTERN_FUZZ_NETWORK'] === 'own' ? await startDnsServer(zone, { port: 53 }) : undefined
  const answers = async (program: string, ours: boolean, cases: readonly string[]): Promise<string[]> => {
    const answered: string[] = []
    const bySettings = new Map<string, number[]>()
    for (const [i, text] of cases.entries()) {
      const [first = ''] = text.split('\n', 1)
      bySettings.set(first, [...(bySettings.get(first) ?? []), i])
    }
    for (const [first, indexes] of bySettings) {
      const settings = first.split(';').slice(1)
      const heard = await playAll(
        program,
        join(folder, String(made++)),
        (place) => connectionConfiguration(place, settings, ours),
        indexes.map((i) => (cases[i] ?? '').split('\n').slice(1)),
      )
      for (const [at, index] of indexes.entries()) {
        const one = heard[at]
        if (one !== undefined) answered[index] = alike(one)
      }
    }
    return answered
  }
  let settings = ''
  let left = 0
  return {
    batch,
    generate: (random: Random) => {
      if (left-- === 0) {
        left = batch - 1
        settings = connectionSettings(random, dns !== undefined)
      }
      return `${settings}\n${connectionDialogue(random).join('\n')}`
    },
    takes: (input) => /^tcp(;|\n)/.test(input),
    smaller: withoutLines,
    form: differingLines,
    exim: (cases) => answers(exim, false, cases),
    ours: (cases) => answers(postern, true, cases),
    meant: (input, ours, exims) => meantBy(reasons, input, ours, exims),
    close: () => {
      void dns?.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Times and ids are not the same twice. */
function alike({ replies, main, reject, panic }: Heard): string {
  const logs = Object.entries({ main, reject, panic }).map(([name, lines]) =>
    [`--- ${name}`, ...lines].join('\n'),
  )
  return [replies.replaceAll('\r\n', '\n').replaceAll('\r', '{CR}'), ...logs]
    .join('\n')
    .replaceAll(/^250-(?:LIMITS .*|PIPECONNECT)\n/gm, '')
    .replaceAll(/\b[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})\b/g, 'ID')
    .replaceAll(/\b(CLIENT\]:)\d+/g, '$1PORT')
    .replaceAll(/\b(127\.0\.0\.1\]:)\d+/g, '$1PORT')
    .replaceAll(/\b\w{3}, \d\d \w{3} \d{4} [\d:]{8} [-+]\d{4}/g, 'DATE')
    .replaceAll(/connection count = \d+/g, 'connection count = N')
    .replaceAll(/byte chunk, total \d+/g, 'byte chunk, total N')
    .replaceAll(/^does not start: [^]*?error.*[^]*/g, 'does not start')
    .replaceAll(/ D=[\d.]+s/g, ' D=TIME')
    .replaceAll(/ RT=[\d.]+s/g, ' RT=TIME')
    .replaceAll(/<\d+\.\d+@/g, '<CHALLENGE@')
    .replaceAll(/^334 [A-Za-z0-9+/=]{24,}$/gm, '334 CHALLENGE')
    .replaceAll(/\n\n+/g, '\n')
}

/** docs/decisions/smtp-reception-and-exim.md tells them. */
const reasons: readonly Reason[] = [...dialogueReasons]

export const smtpConnections: BesideTarget = {
  name: 'smtp-connections',
  says: 'random SMTP dialogues over TCP get the replies and log lines of Exim',
  seed: 1,
  // Daemons for each configuration: too slow here.
  cases: 0,
  make: makeBench,
}
